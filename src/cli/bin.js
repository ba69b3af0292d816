#!/usr/bin/env node
// Runs on any Node, so no newer syntax here: says plainly when the version is too old, then starts the rest.
var wanted = [24, 14, 1]
var have = process.versions.node.split('.').map(Number)
var isNewEnough = true
for (var i = 0; i < 3; i++) {
  if (have[i] === wanted[i]) continue
  isNewEnough = have[i] > wanted[i]
  break
}

if (isNewEnough) {
  void Promise.all([import('node:module'), import('node:v8')])
    .then(function (modules) {
      var module = modules[0]
      var v8 = modules[1]
      // From the second start on nothing has to be compiled again: it takes a third of the time.
      module.enableCompileCache()
      // What is made while much is starting up does not tell what lives long later: decision 0010.
      v8.setFlagsFromString('--no-allocation-site-pretenuring')
      // The build turns this into main.js.
      return import('./main.ts')
    })
    .then(function (main) {
      return main.main(process.argv)
    })
} else {
  console.error(
    'Millrace needs Node ' + wanted.join('.') + ' or newer; this is ' + process.versions.node + '.',
  )
  process.exitCode = 2
}

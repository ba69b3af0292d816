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
  void import('node:module')
    .then(function (module) {
      // From the second start on nothing has to be compiled again: it takes a third of the time.
      module.enableCompileCache()
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

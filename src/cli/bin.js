#!/usr/bin/env node
// Runs on any Node, so no newer syntax here: says plainly when the version is too old, then starts the rest.
import { existsSync } from 'fs'

var wanted = [24, 14, 1]
var have = process.versions.node.split('.').map(Number)
var isNewEnough = true
for (var i = 0; i < 3; i++) {
  if (have[i] === wanted[i]) continue
  isNewEnough = have[i] > wanted[i]
  break
}

if (isNewEnough) {
  // In a checkout the sources run as they are; a built package has JavaScript only.
  var source = new URL('./main.ts', import.meta.url)
  void import(existsSync(source) ? source.href : new URL('./main.js', import.meta.url).href).then(
    function (main) {
      return main.main(process.argv)
    },
  )
} else {
  console.error(
    'Millrace needs Node ' + wanted.join('.') + ' or newer; this is ' + process.versions.node + '.',
  )
  process.exitCode = 2
}

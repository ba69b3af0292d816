// Runs on any Node, so no newer syntax here: says plainly when npm could not bring the right one along.
var wanted = [24, 14, 1]
var have = process.versions.node.split('.').map(Number)
for (var i = 0; i < 3; i++) {
  if (have[i] > wanted[i]) break
  if (have[i] < wanted[i]) {
    console.error(
      'Millrace needs Node ' +
        wanted.join('.') +
        ' or newer; this is ' +
        process.versions.node +
        '. ' +
        'The `node` development dependency brings one along: run `npm ci` without --ignore-scripts.',
    )
    process.exit(1)
  }
}

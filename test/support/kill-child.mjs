// Writes until it is killed: `i n` is in the journal before operation n is begun, `a n` once it is acknowledged.
import { openSync, writeSync } from 'node:fs'
import { open } from 'sealog'
import { operation } from './kill-operations.mjs'

const { path, journal, seed, from, options } = JSON.parse(process.argv[2])
const fd = openSync(journal, 'a')
const note = (letter, n) => writeSync(fd, `${letter} ${n}\n`)

// Nobody is left to kill it.
process.stdin.on('end', () => process.exit(1)).resume()

const db = open(path, options)
writeSync(fd, `o ${db.recovery.lsn}\n`)
let pending = []
for (let n = from; ; n++) {
  const { batch, promise, turnEnds, changes } = operation(seed, n)
  note('i', n)
  if (promise) {
    const [{ type, key, value }] = changes
    const written = batch ? db.batch(changes) : type === 'put' ? db.put(key, value) : db.remove(key)
    pending.push(written.then(() => note('a', n)))
  } else {
    const [{ type, key, value }] = changes
    if (batch) db.batchSync(changes)
    else if (type === 'put') db.putSync(key, value)
    else db.removeSync(key)
    note('a', n)
  }
  if (turnEnds) {
    // Now and then several groups are under way at once.
    if (n % 3 !== 0) await Promise.all(pending.splice(0))
    else await new Promise((resolve) => setImmediate(resolve))
  }
}

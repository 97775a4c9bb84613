// Makes one large transaction after the other until it is killed: `i n` is in the journal before transaction n is begun, `c n` before
// its commit, `a n` once it is acknowledged. Every third is asynchronous.
import { openSync, writeSync } from 'node:fs'
import { open } from 'sealog'
import { writeState } from './whole.mjs'

const { path, journal, from, options } = JSON.parse(process.argv[2])
const fd = openSync(journal, 'a')
const note = (letter, n) => writeSync(fd, `${letter} ${n}\n`)
process.stdin.on('end', () => process.exit(1)).resume()

const db = open(path, options)
for (let n = from; ; n++) {
  note('i', n)
  const callback = (tx) => {
    writeState(tx, n)
    note('c', n)
  }
  if (n % 3 === 0) await db.transaction(callback)
  else db.transactionSync(callback)
  note('a', n)
  await new Promise((resolve) => setImmediate(resolve))
}

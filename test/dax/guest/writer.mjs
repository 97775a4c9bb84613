// Opens a store, says how far it had come (`recovered N`), and goes on from there until the power is cut: `a N` on the console once
// operation N is acknowledged. argv: JSON of { path, seed, acknowledged, options, arm }; `arm` is a
// program to be run before, if any.
import { execFileSync } from 'node:child_process'
import { writeSync } from 'node:fs'
import { open } from 'sealog'
import { operation } from '../../support/kill-operations.mjs'
import { findHistory } from './history.mjs'

const { path, seed, acknowledged, options, arm } = JSON.parse(process.argv[2])
const say = (text) => writeSync(1, `${text}\n`)

if (arm !== undefined) execFileSync(arm)
const db = open(path, { require: 'pmem', ...options })
const done = findHistory(db, seed, acknowledged).count
say(`recovered ${done} ${db.recovery.outcome} ${db.info.flush}`)
const change = (tx, { type, key, value }) => (type === 'put' ? tx.put(key, value) : tx.remove(key))
let pending = []
for (let n = done + 1; ; n++) {
  const { batch, promise, turnEnds, changes } = operation(seed, n)
  const [{ type, key, value }] = changes
  if (promise) {
    const written = batch ? db.batch(changes) : type === 'put' ? db.put(key, value) : db.remove(key)
    pending.push(written.then(() => say(`a ${n}`)))
  } else {
    // The same changes as a batch, or as a transaction; some with a time that does not come.
    if (batch && n % 2 === 0) db.batchSync(changes)
    else if (batch) db.transactionSync((tx) => changes.forEach((each) => change(tx, each)))
    else if (type === 'put') db.putSync(key, value, n % 3 === 0 ? { expiresAt: 8e15 } : {})
    else db.removeSync(key)
    say(`a ${n}`)
  }
  if (turnEnds) await Promise.all(pending.splice(0))
}

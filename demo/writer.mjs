// The child: opens the store, verifies what is in it, and goes on with the load until it is done or killed. Each line that it writes
// to descriptor 3 is one message; a range is acknowledged only when it is durable, so the parent knows what a kill must leave.
import { writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { diagnose, open } from '../dist/index.js'
import { verifyStore } from './verify.mjs'
import { loadWords, recordOf, writeOrder } from './words.mjs'

const job = JSON.parse(process.argv[2])
const words = loadWords(job.words)
const order = writeOrder(words.length, job.seed)

function tell(message) {
  writeSync(3, `${JSON.stringify(message)}\n`)
}

const writers = {
  /** A durable write after the other. */
  single(db, records) {
    for (const record of records) db.putSync(record.word, record)
  },
  /** All of them in flight together. */
  async promise(db, records) {
    await Promise.all(records.map((record) => db.put(record.word, record)))
  },
  /** All of them, or none. */
  batch(db, records) {
    db.batchSync(records.map((record) => ({ type: 'put', key: record.word, value: record })))
  },
}

/**
 * What writes waited for, checkpoints left out: a fence; in the domain disk a synced write, also where another thread makes it (then
 * it is counted as a sync only). A drain of a checkpoint is one of either.
 */
function writeFences(db) {
  const { fences, syncs, checkpointFences } = db.stats().persist
  return (db.persistence === 'disk' ? syncs : fences) - checkpointFences
}

async function load(db) {
  let at = job.acknowledged
  for (const { name, from, to, size } of job.phases) {
    while (at >= from && at < to) {
      const end = Math.min(at + size, to)
      const records = Array.from(order.subarray(at, end), (index) => recordOf(words[index], index))
      const fencesBefore = writeFences(db)
      const startedMs = performance.now()
      const pending = writers[name](db, records)
      if (pending !== undefined) await pending
      const ms = performance.now() - startedMs
      tell({ type: 'acknowledged', upTo: end, name, writes: end - at, ms, fences: writeFences(db) - fencesBefore })
      at = end
    }
  }
}

diagnose(dirname(job.path)) // loads the addon, which is not a part of recovery
const startedMs = performance.now()
const db = open(job.path, { capacity: job.capacity })
db.get(words[order[0]])
const openMs = performance.now() - startedMs
const verdict = verifyStore(db, { ...job, words, order })
tell({ type: 'opened', openMs, recovery: db.recovery, verdict })
// A store that failed is left as it was found.
if (verdict.lost + verdict.wrong === 0) {
  await load(db)
  db.close()
}
tell({ type: 'done' })

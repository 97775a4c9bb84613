// Writes through the built package until it is killed. What it did is in the journal, a file beside the store that outlives it; each note
// was written whole before or after the call that it is about (driver.mjs reads them).
import { openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { open, openAsync } from 'sealog'
import { operation } from '../support/kill-operations.mjs'

const journal = openSync(process.argv[2], 'a')
const note = (letter, n = 0) => writeSync(journal, `${letter} ${n}\n`)

// Nobody is left to kill it.
const commands = createInterface({ input: process.stdin }).on('close', () => process.exit(1))
note('ready')
const [line] = await new Promise((resolve) => commands.once('line', (...given) => resolve(given)))
const { path, seed, from, operations, sessionOperations, full, creates, creationIsAsync, options } = JSON.parse(line)

const refused = (error) => full && error.code === 'ERR_SEALOG_FULL'
let pending = []
let freezes, tailBytes, checkpointing, moved, cleaning
let db = await openStore()
for (let n = from; n < from + operations; n++) {
  await perform(n)
  noteCheckpoint()
  if (n % 8 === 0) look(n)
  if ((n - from + 1) % sessionOperations === 0) {
    await closeStore()
    db = await openStore()
  }
}
await closeStore()
note('ended')
process.exit(0)

async function openStore() {
  note(creates ? 'creating' : 'opening')
  const opened = creates && creationIsAsync ? await openAsync(path, options) : open(path, options)
  note('opened', opened.recovery.framesReplayed)
  freezes = opened.stats().checkpoints.count
  tailBytes = moved = 0
  checkpointing = cleaning = false
  return opened
}

async function closeStore() {
  await Promise.all(pending.splice(0))
  note('closing')
  db.close()
  note('closed')
}

function change(tx, { type, key, value }) {
  if (type === 'put') tx.put(key, value)
  else tx.remove(key)
}

async function perform(n) {
  const { batch, promise, turnEnds, changes } = operation(seed, n)
  const [{ type, key, value }] = changes
  note('i', n)
  if (promise) {
    const written = batch ? db.batch(changes) : type === 'put' ? db.put(key, value) : db.remove(key)
    pending.push(written.then(() => note('a', n), refusal(n)))
    // In a full store it must be known of each operation, before the next one, whether it was refused.
    if (full) await null
  } else {
    try {
      // The same changes as a batch, or as a transaction.
      if (batch && n % 2 === 0) db.batchSync(changes)
      else if (batch) db.transactionSync((tx) => changes.forEach((each) => change(tx, each)))
      else if (type === 'put') db.putSync(key, value)
      else db.removeSync(key)
      note('a', n)
    } catch (error) {
      refusal(n)(error)
    }
  }
  if (!turnEnds) return
  // Now and then several groups are under way at once.
  if (n % 3 !== 0) await Promise.all(pending.splice(0))
  else await new Promise((resolve) => setImmediate(resolve))
}

function refusal(n) {
  return (error) => {
    if (!refused(error)) throw error
    note('f', n)
  }
}

/** A freeze cuts the log's tail; the checkpoint is counted once it is durable. And whether the cleaner moved something meanwhile. */
function noteCheckpoint() {
  const { log, checkpoints, cleaning: cleaner } = db.stats()
  if (cleaner.movedRecords > moved !== cleaning) {
    cleaning = !cleaning
    note('cleaning', Number(cleaning))
  }
  moved = cleaner.movedRecords
  if (log.tailBytes < tailBytes) freezes++
  tailBytes = log.tailBytes
  freezes = Math.max(freezes, checkpoints.count)
  if (freezes > checkpoints.count === checkpointing) return
  checkpointing = !checkpointing
  note('checkpointing', Number(checkpointing))
}

/** What the operation has just done is visible, in a range and by itself. */
function look(n) {
  const { key } = operation(seed, n).changes.at(-1)
  const [first] = db.range({ gte: key, limit: 3 })
  const value = db.get(key)
  const inRange = first !== undefined && JSON.stringify(first.key) === JSON.stringify(key) ? first.value : undefined
  if (JSON.stringify(value) !== JSON.stringify(inRange)) throw new Error(`a range and get differ at ${key}`)
}

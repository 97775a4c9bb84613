// Verifies stores after power cuts: each is in the state after m operations, m at least those acknowledged; it can be written, closed
// and opened again. argv: JSON of [{ name, path, seed, acknowledged }].
import { writeSync } from 'node:fs'
import { open } from 'sealog'
import { findHistory } from './history.mjs'

const say = (text) => writeSync(1, `${text}\n`)

function verify({ path, seed, acknowledged }) {
  const db = open(path, { require: 'pmem', createIfMissing: false })
  const { count } = findHistory(db, seed, acknowledged)
  const { outcome, framesReplayed } = db.recovery
  const before = db.count()
  for (let i = 0; i < 5; i++) db.putSync(`after ${i}`, { n: 0, i, text: '' })
  db.close()
  const again = open(path)
  if (again.count() !== before + 5) throw new Error(`${again.count()} entries after 5 more puts, ${before} before`)
  if (again.recovery.outcome !== 'clean') throw new Error(`${again.recovery.outcome} after close`)
  again.close()
  return { found: count, outcome, framesReplayed }
}

for (const cut of JSON.parse(process.argv[2])) {
  try {
    say(`verified ${JSON.stringify({ name: cut.name, ...verify(cut) })}`)
  } catch (error) {
    say(`violation ${JSON.stringify({ name: cut.name, why: error.message })}`)
  }
}

// What backup and verify cost. A store of --keys small values and --large values of 4 MiB is verified; then it is backed up while a writer
// goes on at full speed, and the copy is verified and compared with a snapshot taken at the call, entry by entry.
//   npm run bench:backup -- [--keys 1000000] [--large 64] [--dir /dev/shm]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv } from 'node:process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { open } from '../dist/index.js'

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    keys: { type: 'string', default: '1000000' },
    large: { type: 'string', default: '64' },
    dir: { type: 'string', default: '/dev/shm' },
  },
})
const keys = Number(values.keys)
const large = Number(values.large)
const directory = mkdtempSync(join(values.dir === '' ? tmpdir() : values.dir, 'sealog-bench-backup-'))
const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`
const keyOf = (i) => `user:${String(i).padStart(12, '0')}`

try {
  const capacity = Math.ceil(keys * 600 + large * 5 * 2 ** 20 + 256 * 2 ** 20)
  const db = open(join(directory, 'store'), { capacity, encoding: 'binary' })
  for (let i = 0; i < keys; i++) {
    void db.put(keyOf(i), Buffer.alloc(100, i))
    if (i % 10_000 === 0) await db.flush()
  }
  for (let i = 0; i < large; i++) db.putSync(`large:${i}`, Buffer.alloc(4 * 2 ** 20, i))
  await db.flush()
  console.log(
    `${keys} values of 100 bytes and ${large} of 4 MiB; ${db.persistence}, ${mb(db.stats().log.liveBytes)} live`,
  )

  for (let round = 0; round < 3; round++) {
    const { ok, bytes, durationMs, bytesPerSecond, entries, problems } = await db.verify()
    if (!ok) throw new Error(JSON.stringify(problems[0]))
    console.log(
      `verify: ${entries} entries, ${mb(bytes)} in ${durationMs.toFixed(0)} ms, ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`,
    )
  }

  const alone = await db.backup(join(directory, 'alone'))
  console.log(
    `backup, nobody writes: ${mb(alone.bytes)} in ${alone.durationMs.toFixed(0)} ms, ${mb(alone.bytesPerSecond)}/s`,
  )
  rmSync(alone.path)

  const quiet = await writeFor(db, nextTurns(300))
  console.log(`writer alone: ${show(quiet)}`)
  const snapshot = db.snapshot()
  const running = db.backup(join(directory, 'copy'))
  const busy = await writeFor(db, running)
  const copied = await running
  console.log(
    `backup, while somebody writes: ${mb(copied.bytes)} in ${copied.durationMs.toFixed(0)} ms, ${mb(copied.bytesPerSecond)}/s`,
  )
  console.log(`writer meanwhile: ${show(busy)}`)

  const copy = open(join(directory, 'copy'), { readOnly: true })
  const report = await copy.verify()
  if (!report.ok) throw new Error(`the copy is damaged: ${JSON.stringify(report.problems[0])}`)
  console.log(
    `the copy opens (${copy.recovery.outcome}), verifies, and equals the snapshot in ${compare(snapshot, copy)} entries`,
  )
  snapshot.release()
  copy.close()
  const compact = await db.backup(join(directory, 'compact'), { compact: true })
  console.log(`compact backup: ${mb(compact.bytes)} in ${compact.durationMs.toFixed(0)} ms`)
  db.close()
} finally {
  rmSync(directory, { recursive: true })
}

/** Overwrites keys, a durable put at a time, until the promise settles. */
async function writeFor(db, until) {
  let over = false
  void until.finally(() => (over = true)).catch(() => undefined)
  const startedMs = performance.now()
  let puts = 0
  let longestMs = 0
  const value = Buffer.alloc(100, 0xee)
  while (!over) {
    for (let i = 0; i < 200; i++) {
      const before = performance.now()
      db.putSync(keyOf((puts++ * 7919) % keys), value)
      longestMs = Math.max(longestMs, performance.now() - before)
    }
    await nextTurn()
  }
  return { puts, longestMs, seconds: (performance.now() - startedMs) / 1000 }
}

async function nextTurns(count) {
  for (let i = 0; i < count; i++) await nextTurn()
}

function show({ puts, longestMs, seconds }) {
  return `${puts} puts, ${(puts / seconds / 1000).toFixed(0)}k/s, the longest took ${longestMs.toFixed(2)} ms`
}

/** Keys, values and versions, side by side. */
function compare(a, b) {
  const others = b.range()[Symbol.iterator]()
  let count = 0
  for (const { key, value } of a.range()) {
    const other = others.next()
    if (other.done || other.value.key !== key || !isDeepStrictEqual(other.value.value, value))
      throw new Error(`the copy differs from the snapshot at ${key}`)
    if (a.getEntry(key)?.version !== b.getEntry(key)?.version) throw new Error(`another version at ${key}`)
    count++
  }
  if (!others.next().done) throw new Error('the copy has more than the snapshot')
  return count
}

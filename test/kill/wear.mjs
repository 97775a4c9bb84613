// Ten times a store's capacity in durable puts, most of it alive, by writers that are killed with SIGKILL every few seconds; after each
// kill every entry is read and held against what was acknowledged, and the store is verified.
//   npm run test:wear -- [--path DIR] [--capacity 64MiB] [--segment-bytes 256KiB] [--live 0.7] [--times 10] [--kill-seconds 2-4] [--only uniform|zipfian] [--seed S]
// Exit 1: something was lost or wrong; the store is left where it says.
import { fork } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { randomFrom } from '../../demo/words.mjs'
import { open } from '../../dist/index.js'
import { resolveOptions } from '../../dist/options.js'
import { onTmpfs } from './media.mjs'
import { zipfianOrder } from '../../bench/lib/zipf.mjs'

const valueBytes = 100
// Of a record: header, key, value, rounded up; of a leaf's entries, two thirds full as random inserts leave it. As in bench/cleaning.mjs.
const recordBytes = 144
const indexBytes = 512 / (48 * 0.69) + 1
const linesBytes = 192 // of such a put, in the log
const slotBytes = 8 // of the journal

const keyOf = (i) => `key-${String(i).padStart(12, '0')}`
const value = Buffer.alloc(valueBytes)
/** Says which put it is of. */
function valueOf(i, n) {
  value.writeUInt32LE(i, 0)
  value.writeUInt32LE(n, 4)
  value.fill((i + n) & 0xff, 8)
  return value
}

/** Which key put `n` is of: first each one, in order; then as `kind` says. */
function keysOf(kind, count, puts, seed) {
  const keys = new Uint32Array(count + puts)
  for (let i = 0; i < count; i++) keys[i] = i
  const random = randomFrom(seed)
  if (kind === 'uniform') for (let n = count; n < keys.length; n++) keys[n] = Math.floor(random() * count)
  else keys.set(zipfianOrder(puts, count, seed), count)
  return keys
}

/**
 * The writer: puts from number `from` on. The journal, in shared memory, has three numbers: puts begun, puts acknowledged, and whether the
 * cleaner moved records of late.
 */
function write({ path, journal, kind, count, puts, seed, from }) {
  const keys = keysOf(kind, count, puts, seed)
  const db = open(path, { encoding: 'binary' })
  const fd = openSync(journal, 'r+')
  const slot = Buffer.alloc(slotBytes)
  const note = (which, n) => {
    slot.writeDoubleLE(n)
    writeSync(fd, slot, 0, slotBytes, which * slotBytes)
  }
  let moved = 0
  for (let n = from; n < keys.length; n++) {
    note(0, n + 1)
    db.putSync(keyOf(keys[n]), valueOf(keys[n], n))
    note(1, n + 1)
    if (n % 128 !== 0) continue
    const { movedRecords } = db.stats().cleaning
    note(2, movedRecords === moved ? 0 : 1)
    moved = movedRecords
  }
  db.close()
  closeSync(fd)
}

if (process.argv[2] === '--writer') {
  write(JSON.parse(process.argv[3]))
  process.exit(0)
}

const { values: options } = parseArgs({
  options: {
    path: { type: 'string' },
    capacity: { type: 'string', default: '64MiB' },
    'segment-bytes': { type: 'string', default: '256KiB' },
    live: { type: 'string', default: '0.7' },
    times: { type: 'string', default: '10' },
    'kill-seconds': { type: 'string', default: '2-4' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})
const capacity = resolveOptions({ capacity: options.capacity }).capacityBytes
const [least, most = least] = options['kill-seconds'].split('-').map(Number)
const seed = Number(options.seed)
const count = Math.floor((capacity * Number(options.live)) / (recordBytes + indexBytes))
const puts = Math.floor((Number(options.times) * capacity) / linesBytes)
const random = randomFrom(seed)

/** @returns how many keys are not as after some number of puts from `acknowledged` to `begun`; that number is the journal's next */
async function verify(path, keys, last, acknowledged, begun) {
  const db = open(path, { encoding: 'binary' })
  try {
    let wrong = 0
    // One put is under way at most: its key has the value of before, or of it.
    let applied = acknowledged
    if (begun > acknowledged) {
      const found = db.get(keyOf(keys[acknowledged]))
      if (found !== undefined && valueOf(keys[acknowledged], acknowledged).equals(found)) applied = begun
    }
    for (let n = last.upTo; n < applied; n++) {
      if (last.of[keys[n]] === -1) last.there++
      last.of[keys[n]] = n
    }
    last.upTo = applied
    let read = 0
    for (const { key, value: found } of db.range()) {
      const i = Number(String(key).slice(4))
      if (last.of[i] === -1 || !valueOf(i, last.of[i]).equals(found)) wrong++
      read++
    }
    if (read !== last.there || db.count() !== last.there) wrong += Math.max(1, Math.abs(read - last.there))
    const report = await db.verify()
    return { wrong, problems: report.problems.length, recovery: db.recovery.outcome }
  } finally {
    db.close()
  }
}

async function run(kind, folder) {
  const path = join(folder, `${kind}.sealog`)
  const journal = join(folder, 'journal')
  const keys = keysOf(kind, count, puts, seed)
  const last = { of: new Int32Array(count).fill(-1), there: 0, upTo: 0 }
  open(path, { capacity, segmentBytes: options['segment-bytes'], encoding: 'binary' }).close()
  const bytesBefore = statSync(path).size
  const result = { kind, puts, kills: 0, killsInCleaning: 0, recovered: 0, wrong: 0, problems: 0, fileGrown: 0 }
  const read = (which) => readFileSync(journal).readDoubleLE(which * slotBytes)
  while (last.upTo < keys.length && result.wrong + result.problems === 0) {
    closeSync(openSync(journal, 'w'))
    const fd = openSync(journal, 'r+')
    const start = Buffer.alloc(3 * slotBytes)
    for (const which of [0, 1]) start.writeDoubleLE(last.upTo, which * slotBytes)
    writeSync(fd, start)
    closeSync(fd)
    const job = { path, journal, kind, count, puts, seed, from: last.upTo }
    const writer = fork(fileURLToPath(import.meta.url), ['--writer', JSON.stringify(job)])
    const ended = new Promise((resolve) => writer.on('close', (code, signal) => resolve(signal ?? code)))
    // From the first put on: a start under load must not take all of the time.
    while (writer.exitCode === null && read(1) === last.upTo) await sleep(5)
    await Promise.race([ended, sleep(1000 * (least + random() * (most - least)))])
    writer.kill('SIGKILL')
    const how = await ended
    if (how === 'SIGKILL') {
      result.kills++
      result.killsInCleaning += read(2)
    } else if (how !== 0) throw new Error(`the writer ended with ${how}`)
    const { wrong, problems, recovery } = await verify(path, keys, last, read(1), read(0))
    result.wrong += wrong
    result.problems += problems
    result.recovered += recovery === 'recovered' ? 1 : 0
    console.log(
      `${kind}: ${((last.upTo / keys.length) * 100).toFixed(0)} %, ${result.kills} kills, ${result.wrong} wrong, ${result.problems} problems`,
    )
  }
  result.fileGrown = statSync(path).size - bytesBefore
  if (result.wrong + result.problems === 0) rmSync(path)
  return result
}

const medium = options.path === undefined ? onTmpfs() : undefined
const folder = mkdtempSync(join(options.path ?? medium.directory, 'wear-'))
console.log(
  `${count.toLocaleString('en')} keys, ${Number(options.live) * 100} % of ${options.capacity} alive; ` +
    `${puts.toLocaleString('en')} durable puts behind them, ${options.times} times the capacity; SIGKILL every ${options['kill-seconds']} s`,
)
const results = []
for (const kind of ['uniform', 'zipfian']) {
  if (options.only === undefined || options.only === kind) results.push(await run(kind, folder))
}
const bad = results.some((r) => r.wrong + r.problems + Math.abs(r.fileGrown) !== 0)
if (bad) console.log(`FAILED: the store is left in ${folder}`)
else {
  rmSync(folder, { recursive: true })
  medium?.remove()
}
console.log(
  `figures: ${JSON.stringify({ lane: 'wear', seed, capacity: options.capacity, live: Number(options.live), results })}`,
)
process.exit(bad ? 1 : 0)

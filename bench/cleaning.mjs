// Writes ten times its capacity through a store that is mostly alive, beside a store that never needs cleaning:
// throughput over time, write amplification beside its bound, the file's size, latency, and every entry read back.
//   npm run bench:cleaning -- [--path DIR] [--capacity 256MiB] [--live 0.7] [--times 10] [--only uniform|zipfian]
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHistogram } from 'node:perf_hooks'
import { exit, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { open } from '../dist/index.js'
import { resolveOptions } from '../dist/options.js'
import { permutation, uniformKeys } from './lib/random.mjs'
import { zipfianKeys } from './lib/zipf.mjs'

const { values: options } = parseArgs({
  options: {
    path: { type: 'string', default: tmpdir() },
    capacity: { type: 'string', default: '256MiB' },
    live: { type: 'string', default: '0.7' },
    times: { type: 'string', default: '10' },
    only: { type: 'string' },
  },
})
const capacity = resolveOptions({ capacity: options.capacity }).capacityBytes
const live = Number(options.live)
const times = Number(options.times)
const valueBytes = 100
// Of a record: header, key, value, rounded up; of a leaf's entries, two thirds full as random inserts leave it.
const recordBytes = 144
const indexBytes = 512 / (48 * 0.69) + 1
const keyCount = Math.floor((capacity * live) / (recordBytes + indexBytes))

const keyOf = (i) => `key-${String(i).padStart(12, '0')}`
const value = Buffer.alloc(valueBytes)
function valueOf(i, version) {
  value.writeUInt32LE(i, 0)
  value.writeUInt32LE(version, 4)
  value.fill((i + version) & 0xff, 8)
  return value
}

/** The live share of victims where the whole has `u`: u = (v - 1) / ln v (Menon, 1995). */
function victimShare(u) {
  let low = 1e-9
  let high = 1 - 1e-9
  for (let i = 0; i < 100; i++) {
    const v = (low + high) / 2
    if ((v - 1) / Math.log(v) < u) low = v
    else high = v
  }
  return low
}

const us = (ns) => (ns / 1000).toFixed(ns < 10_000 ? 1 : 0)

function run(name, pick, folder, size, puts) {
  const path = join(folder, `${name}.sealog`)
  const db = open(path, { capacity: size, encoding: 'binary' })
  const versions = new Uint32Array(keyCount)
  const order = permutation(keyCount, 7)
  for (let at = 0; at < keyCount; at += 500) {
    const ops = Array.from(order.subarray(at, at + 500), (i) => ({
      type: 'put',
      key: keyOf(i),
      value: Buffer.from(valueOf(i, 0)),
    }))
    db.batchSync(ops)
  }
  const bytesBefore = statSync(path).size
  const before = db.stats()
  const histogram = createHistogram({ lowest: 1, highest: 10_000_000_000, figures: 3 })
  const slices = 10
  const perSlice = []
  let seconds = 0
  for (let slice = 0; slice < slices; slice++) {
    const begun = process.hrtime.bigint()
    for (let n = Math.floor(puts / slices); n > 0; n--) {
      const i = pick()
      const v = valueOf(i, ++versions[i])
      const key = keyOf(i)
      const start = process.hrtime.bigint()
      db.putSync(key, v)
      histogram.record(process.hrtime.bigint() - start)
    }
    const took = Number(process.hrtime.bigint() - begun) / 1e9
    seconds += took
    perSlice.push(Math.round(puts / slices / took / 1000))
    if (stdout.isTTY) stdout.write(`\r${name}: ${slice + 1} of ${slices}`)
  }
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  const after = db.stats()
  db.close()
  const again = open(path, { encoding: 'binary', readOnly: true })
  let wrong = again.count() === keyCount ? 0 : 1
  for (let i = 0; i < keyCount; i++) {
    const found = again.get(keyOf(i))
    if (found === undefined || !valueOf(i, versions[i]).equals(found)) wrong++
  }
  again.close()
  const fileGrown = statSync(path).size - bytesBefore
  rmSync(path)
  const hot = after.log.bytes - after.cleaning.logBytes - (before.log.bytes - before.cleaning.logBytes)
  const cold = after.cleaning.logBytes - before.cleaning.logBytes
  const nodes = (after.persist.checkpointLines - before.persist.checkpointLines) * 64
  // How much of the log is alive: of all that it could ever use, and of what the reserve for removes, the cleaner and the
  // index leaves it. Counted as records: lines and frames are the writer's cost.
  const segmentBytes = (size / after.space.segments) | 0
  const u = after.log.liveBytes / ((after.space.log + after.space.free) * segmentBytes)
  const uUsed = after.log.liveBytes / (after.space.log * segmentBytes)
  const boundOf = (share) => 1 / (1 - victimShare(Math.min(share, 0.99)))
  return {
    name,
    puts,
    perSlice,
    seconds,
    wrong,
    fileGrown,
    u,
    uUsed,
    amplification: (hot + cold) / hot,
    bound: boundOf(u),
    boundUsed: boundOf(uUsed),
    index: nodes / hot,
    cleaned: after.cleaning.segments,
    p: [50, 99, 99.9, 99.99].map((each) => histogram.percentile(each)),
    max: histogram.max,
    checkpoints: after.checkpoints.count - before.checkpoints.count,
  }
}

const folder = mkdtempSync(join(options.path, 'sealog-cleaning-'))
const results = []
try {
  const puts = Math.floor((times * capacity) / 192)
  console.log(
    `${keyCount.toLocaleString('en')} keys of 16 B with ${valueBytes} B, ${live * 100} % of ${options.capacity} alive; ` +
      `${puts.toLocaleString('en')} durable puts of three lines each: ${times} times the capacity\n`,
  )
  for (const kind of ['uniform', 'zipfian']) {
    if (options.only !== undefined && options.only !== kind) continue
    const pickOf = () => (kind === 'uniform' ? uniformKeys : zipfianKeys)(keyCount, 12345)
    results.push(run(kind, pickOf(), folder, capacity, puts))
    // As many puts as a store of five times the size takes before it has to clean.
    results.push(run(`${kind}, no cleaning`, pickOf(), folder, capacity * 5, Math.floor((capacity * 3) / 192)))
  }
} finally {
  rmSync(folder, { recursive: true })
}

const table = new Table({
  head: [
    '',
    'puts/ms over time',
    'log WA',
    'bound, u',
    'without the reserve',
    'index WA',
    'segments cleaned',
    'checkpoints',
    'file grew',
    'wrong',
  ],
})
for (const r of results) {
  table.push([
    r.name,
    r.perSlice.join(' '),
    r.amplification.toFixed(2),
    r.cleaned === 0 ? '-' : `${r.bound.toFixed(2)}, ${r.u.toFixed(2)}`,
    r.cleaned === 0 ? '-' : `${r.boundUsed.toFixed(2)}, ${r.uUsed.toFixed(2)}`,
    r.index.toFixed(2),
    r.cleaned,
    r.checkpoints,
    r.fileGrown,
    r.wrong,
  ])
}
console.log(table.toString())
const latency = new Table({ head: ['put latency, us', 'p50', 'p99', 'p99.9', 'p99.99', 'max'] })
for (const r of results) latency.push([r.name, ...r.p.map(us), us(r.max)])
console.log(latency.toString())
console.log(`figures: ${JSON.stringify({ lane: 'cleaning', results })}`)
exit(results.some((r) => r.wrong !== 0 || r.fileGrown !== 0) ? 1 : 0)

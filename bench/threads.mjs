// What worker threads that share a store get: two that read against one, and how long a read takes beside a writer whose puts wait
// for the disk.
//   npm run bench:threads [-- --keys N] [--rounds N] [--seconds S] [--memory DIR] [--disk DIR]
// Another build: SEALOG_ADDON=.../sealog.node. Its last line is of JSON.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { open } from '../dist/index.js'
import { median } from './lib/figures.mjs'
import { fill } from './lib/fill.mjs'
import { uniformOrder } from './lib/random.mjs'

const valueBytes = 100
const orderLength = 1 << 16
const latenciesMax = 20_000_000
const keyOf = (i) => `key${String(i).padStart(8, '0')}`
const two = (number) => Number(number.toFixed(2))

if (isMainThread) await main()
else await work()

async function work() {
  const { path, keys, me } = workerData
  const db = open(path, { encoding: 'binary' })
  const order = uniformOrder(orderLength, keys, me + 1)
  const value = Buffer.alloc(valueBytes, 'w')
  let bytes = 0
  const tasks = {
    /** Gets per second. */
    read: (end) => {
      const begin = performance.now()
      let gets = 0
      while (performance.now() < end)
        for (let i = 0; i < 64; i++) bytes += db.getBinary(keyOf(order[gets++ % orderLength])).length
      return (gets * 1000) / (performance.now() - begin)
    },
    /** Microseconds of each get. */
    latencies: (end) => {
      const all = new Float64Array(latenciesMax)
      let gets = 0
      for (let now = performance.now(); now < end && gets < latenciesMax;) {
        bytes += db.getBinary(keyOf(order[gets % orderLength])).length
        const after = performance.now()
        all[gets++] = (after - now) * 1000
        now = after
      }
      const sorted = all.subarray(0, gets).sort()
      const at = (part) => two(sorted[Math.min(gets - 1, Math.floor(part * gets))])
      return { gets, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) }
    },
    /** Durable puts per second. */
    write: (end) => {
      const begin = performance.now()
      let puts = 0
      while (performance.now() < end) db.putSync(keyOf(order[puts++ % orderLength]), value)
      return (puts * 1000) / (performance.now() - begin)
    },
  }
  parentPort.on('message', ({ task, seconds }) => {
    if (task === 'end') {
      if (me === 0 && bytes === 0) throw new Error('nothing was read')
      db.close()
      parentPort.close()
    } else {
      parentPort.postMessage(tasks[task](performance.now() + seconds * 1000))
    }
  })
  parentPort.postMessage('ready')
}

function answer(worker) {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

/** All at once, for so many seconds: what each answers. */
function run(seconds, ...tasks) {
  const answers = tasks.map(([worker]) => answer(worker))
  for (const [worker, task] of tasks) worker.postMessage({ task, seconds })
  return Promise.all(answers)
}

/** A store of so many keys, and two workers that have it open. */
async function withWorkers(directory, keys, use) {
  const folder = mkdtempSync(join(directory, 'sealog-bench-threads-'))
  const path = join(folder, 'store')
  const db = open(path, { capacity: Math.max(64 * 2 ** 20, keys * 640), encoding: 'binary' })
  try {
    fill(db, keys, keyOf, Buffer.alloc(valueBytes, 'v'))
    const workers = [0, 1].map((me) => new Worker(new URL(import.meta.url), { workerData: { path, keys, me } }))
    for (const worker of workers) worker.setMaxListeners(0)
    await Promise.all(workers.map(answer))
    const result = await use(workers, db.info.domain)
    for (const worker of workers) worker.postMessage({ task: 'end' })
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
    return result
  } finally {
    db.close()
    rmSync(folder, { recursive: true })
  }
}

/** What they read together in a second, and in a second of CPU time: other programs of the machine count in the first only. */
async function reads(seconds, workers) {
  const before = process.cpuUsage()
  const sum = (await run(seconds, ...workers.map((worker) => [worker, 'read']))).reduce((a, b) => a + b)
  const { user, system } = process.cpuUsage(before)
  return { perSecond: sum, perCpuSecond: (sum * seconds * 1e6) / (user + system) }
}

async function scaling(directory, keys, rounds, seconds) {
  return withWorkers(directory, keys, async (workers, domain) => {
    await reads(seconds, workers)
    const ones = []
    const both = []
    for (let round = 0; round < rounds; round++) {
      ones.push(await reads(seconds, [workers[round % 2]]))
      both.push(await reads(seconds, workers))
    }
    const ratio = (of) => median(both.map((b, round) => of(b) / of(ones[round])))
    return {
      domain,
      one: Math.round(median(ones.map((r) => r.perSecond))),
      two: Math.round(median(both.map((r) => r.perSecond))),
      ratio: two(ratio((r) => r.perSecond)),
      ratioByCpuTime: two(2 * ratio((r) => r.perCpuSecond)),
    }
  })
}

async function besideWriter(directory, keys, seconds) {
  return withWorkers(directory, keys, async ([reader, writer], domain) => {
    await run(seconds, [reader, 'latencies'], [writer, 'write'])
    const [alone] = await run(seconds, [reader, 'latencies'])
    const [beside, puts] = await run(seconds, [reader, 'latencies'], [writer, 'write'])
    return { domain, putsPerSecond: Math.round(puts), alone, beside }
  })
}

async function main() {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '500000' },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '1' },
      memory: { type: 'string', default: '/dev/shm' },
      disk: { type: 'string', default: tmpdir() },
    },
  })
  const [keys, rounds, seconds] = [Number(values.keys), Number(values.rounds), Number(values.seconds)]
  const reading = await scaling(values.memory, keys, rounds, seconds)
  console.log(
    `${keys} keys, domain ${reading.domain}: one worker ${reading.one} gets/s, two ${reading.two}, ${reading.ratio} times as many; by CPU time ${reading.ratioByCpuTime}`,
  )
  const latency = await besideWriter(values.disk, Math.min(keys, 100_000), 3 * seconds)
  for (const [what, l] of [
    ['alone', latency.alone],
    [`beside ${latency.putsPerSecond} durable puts/s`, latency.beside],
  ])
    console.log(
      `domain ${latency.domain}, a read ${what}: p50 ${l.p50} us, p99 ${l.p99}, p99.9 ${l.p999}, max ${l.max}`,
    )
  console.log(JSON.stringify({ reading, latency }))
}

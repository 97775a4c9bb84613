// Workers that are terminated at any moment of whatever they do with a store, while the main thread and other workers use it too:
//   npm run test:terminations -- [--count N] [--seed S] [--sanitized: with the addon of scripts/sanitizers.mjs; [--addon FILE] of it]
// In a process of its own, so that a signal is an answer: none may end it, nothing that was acknowledged may be gone, no snapshot left.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, execPath } from 'node:process'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { open, openAsync } from '../../dist/index.js'
import { sanitizedRun } from '../../scripts/sanitizers.mjs'

const slots = 4
const turn = () => new Promise(setImmediate)
const small = { capacity: '32MiB' }

const doings = {
  idle: () => setInterval(() => {}, 1000),
  async writing({ db, acknowledge }) {
    for (let i = 0; ; i++) {
      db.putSync(`put${i % 100}`, { i })
      acknowledge(i)
      if (i % 50 === 0) await turn()
    }
  },
  async committing({ db }) {
    for (let i = 0; ; i++) await db.put(`async${i % 100}`, 'x'.repeat(i % 500))
  },
  async transacting({ db }) {
    for (;;) await db.transaction((t) => t.put('sum', (t.get('sum') ?? 0) + 1))
  },
  async iterating({ db }) {
    for (;;) {
      for (const entry of db.range()) void entry
      await turn()
    }
  },
  async snapshots({ db }) {
    for (;;) {
      db.snapshot()
      db.snapshot().get('put1')
      await turn()
    }
  },
  async opening({ path }) {
    for (let i = 0; ; i++) {
      const other = await openAsync(path, small)
      other.putSync('open', i)
      other.close()
    }
  },
  async streaming({ db }) {
    const streams = db.namespace('streams', { encoding: 'binary' })
    for (;;) {
      await streams.putStream('stream', [Buffer.alloc(50_000, 1), Buffer.alloc(50_000, 2)])
      for await (const piece of streams.getStream('stream')) void piece
    }
  },
  async 'backing up'({ db, path, me }) {
    for (let i = 0; ; i++) await db.backup(`${path}-copy${me}-${i % 2}`, { overwrite: true }).catch(() => {})
  },
  async compacting({ db }) {
    for (;;) await db.compact()
  },
  async verifying({ db }) {
    for (;;) await db.verify()
  },
  async viewing({ db }) {
    for (;;) {
      db.view('put1', (bytes) => bytes?.length)
      await turn()
    }
  },
}
const names = Object.keys(doings)

if (!isMainThread) await work()
else if (argv.includes('--here')) await terminate()
else await main()

async function work() {
  const { path, me, doing, counter } = workerData
  const acknowledged = new Int32Array(counter)
  const db = open(path, small)
  const own = db.namespace(`worker${me}`)
  parentPort.postMessage('open')
  const acknowledge = (i) => {
    own.putSync('last', i)
    Atomics.store(acknowledged, 0, i)
  }
  await doings[doing]({ db, path, me, acknowledge })
}

function options() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '400' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      path: { type: 'string' },
      here: { type: 'boolean' },
      sanitized: { type: 'boolean', default: false },
      addon: { type: 'string' },
    },
  })
  return { ...values, count: Number(values.count), seed: Number(values.seed) }
}

async function main() {
  const { count, seed, sanitized, addon } = options()
  const run = sanitized ? sanitizedRun('terminations', addon) : undefined
  const folder = mkdtempSync(join(tmpdir(), 'sealog-terminations-'))
  const path = join(folder, 'store')
  const begun = Date.now()
  const child = spawn(execPath, [argv[1], '--here', '--path', path, '--count', String(count), '--seed', String(seed)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: run?.env,
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), (60_000 + count * 500) * (sanitized ? 4 : 1))
  const [code, signal] = await new Promise((resolve) => child.once('exit', (...how) => resolve(how)))
  clearTimeout(timer)
  rmSync(folder, { recursive: true, force: true })
  const seconds = Math.round((Date.now() - begun) / 1000)
  const reports = run?.tellReports() ?? 0
  run?.end()
  const signals = signal === null ? 0 : 1
  const lane = sanitized ? 'terminations-sanitized' : 'terminations'
  console.log(`figures: ${JSON.stringify({ lane, count, seed, seconds, signals, reports })}`)
  if (code === 0 && reports === 0) return
  const replay = `npm run test:terminations -- --count ${count} --seed ${seed}${sanitized ? ' --sanitized' : ''}`
  console.log(`FAILED: ended with ${signal ?? code}, ${reports} reports; ${replay}`)
  process.exitCode = 1
}

async function terminate() {
  const { path, count, seed } = options()
  let state = seed >>> 0
  const random = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  let db = open(path, small)
  const done = Object.fromEntries(names.map((name) => [name, 0]))
  let ended = 0
  let problem
  // Every so often nobody but workers has the store open: the last one to be terminated leaves it as by a kill.
  for (let round = 0; ended < count; round++) {
    const alone = round % 5 === 4
    if (alone) db.close()
    const all = Array.from({ length: Math.min(slots, count - ended) }, (_, me) => {
      const doing = names[random(names.length)]
      done[doing]++
      const counter = new SharedArrayBuffer(4)
      new Int32Array(counter)[0] = -1
      const worker = new Worker(argv[1], { workerData: { path, me, doing, counter }, argv: ['--here'] })
      const opened = new Promise((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
      worker.on('error', (error) => (problem ??= error))
      return { worker, counter, me, opened }
    })
    // Some are terminated while they open it.
    for (const each of all) if (random(4) !== 0) await each.opened
    await new Promise((resolve) => setTimeout(resolve, random(12)))
    if (!alone) db.putSync('main', round)
    await Promise.all(all.map(({ worker, opened }) => (opened.catch(() => {}), worker.terminate())))
    if (problem !== undefined) throw problem
    ended += all.length
    if (alone) db = open(path, small)
    else if (db.get('main') !== round) throw new Error(`the main thread's put ${round} is gone`)
    for (const { counter, me } of all) {
      const last = new Int32Array(counter)[0]
      const found = db.namespace(`worker${me}`).get('last')
      if (last >= 0 && !(found >= last)) throw new Error(`worker ${me} was acknowledged ${last}, found is ${found}`)
      db.namespace(`worker${me}`).removeSync('last')
    }
    if (db.stats().pins.snapshots !== 0) throw new Error(`${db.stats().pins.snapshots} snapshots are left`)
    if (round % 20 === 0) await check(db)
  }
  await check(db)
  db.close()
  const again = open(path)
  if (again.recovery.outcome !== 'clean') throw new Error(`closed, and ${again.recovery.outcome}`)
  again.close()
  console.log(`${ended} terminations: ${names.map((name) => `${name} ${done[name]}`).join(', ')}`)
}

async function check(db) {
  const { problems } = await db.verify()
  if (problems.length !== 0) throw new Error(`verify: ${JSON.stringify(problems.slice(0, 3))}`)
}

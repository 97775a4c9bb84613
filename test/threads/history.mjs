// Histories of workers that read and write a few keys of one store, checked for linearizability:
//   npm run test:threads -- [--seconds N] [--workers N] [--seed S]
// Each key is a register. A version is the place of a write in the order of all, so a history is linearizable if what ended
// before another operation began never has a greater version (a write: never one as great), and nothing is read before it is
// begun to be written. Batches write two keys, which a snapshot must show alike; counters must count all increments.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { open } from '../../dist/index.js'

const keys = 6
const operationsOfRound = 3_000
/** Of a record: what was done, with which key, with which value, its version (0: not known), begin, end. */
const fields = 6
const [READ, WRITE, ABSENT] = [0, 1, 2]

if (isMainThread) await main()
else await work()

async function work() {
  const { path, me, seed } = workerData
  const db = open(path)
  const space = db.namespace('registers')
  let state = (seed + me * 7919) >>> 0
  const random = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  let written = 0
  const now = () => Number(process.hrtime.bigint())
  parentPort.on('message', async (message) => {
    if (message === 'end') {
      db.close()
      parentPort.close()
      return
    }
    const records = new Float64Array(operationsOfRound * fields * 2)
    let count = 0
    let [torn, increments, transactions] = [0, 0, 0]
    const add = (...record) => records.set(record, fields * count++)
    const read = (key) => {
      const begin = now()
      const entry = space.getEntry(`k${key}`)
      const end = now()
      if (entry === undefined) add(ABSENT, key, 0, 0, begin, end)
      else add(READ, key, entry.value.id, entry.version, begin, end)
    }
    for (let i = 0; i < operationsOfRound; i++) {
      const key = random(keys)
      if (random(2) === 0) {
        read(key)
        continue
      }
      const id = me * 2 ** 40 + ++written
      const begin = now()
      const how = random(20)
      if (how === 0) await space.put(`k${key}`, { id, [`by${me}`]: i })
      else if (how === 1) space.batchSync([{ type: 'put', key: `k${key}`, value: { id } }])
      else space.putSync(`k${key}`, { id })
      add(WRITE, key, id, 0, begin, now())
      read(key)
      if (how === 2) {
        db.batchSync([
          { type: 'put', key: 'left', value: id },
          { type: 'put', key: 'right', value: id },
        ])
      }
      if (how === 3) {
        const snapshot = db.snapshot()
        if (snapshot.get('left') !== snapshot.get('right')) torn++
        snapshot.release()
      }
      if (how === 4) {
        db.incrementSync('increments')
        increments++
      }
      if (how === 5) {
        db.transactionSync((tx) => tx.put('transactions', (tx.get('transactions') ?? 0) + 1))
        transactions++
      }
      if (how === 6) await new Promise(setImmediate)
    }
    parentPort.postMessage({ records: records.subarray(0, count * fields), torn, increments, transactions })
  })
  parentPort.postMessage('ready')
}

/** What is wrong with the operations on one key; in all of them, `version` is there but for some writes. */
function violations(operations) {
  const found = []
  const writes = new Map()
  const versions = new Map()
  for (const op of operations) if (op.kind === WRITE) writes.set(op.id, op)
  for (const op of operations) {
    if (op.kind !== READ) continue
    const write = writes.get(op.id)
    if (write === undefined) found.push(['a value that nobody has written', op])
    else if (op.end < write.begin) found.push(['read before it was written', op, write])
    else if (write.version !== 0 && write.version !== op.version) found.push(['two versions of one write', op, write])
    else write.version = op.version
    if ((versions.get(op.version) ?? op.id) !== op.id) found.push(['two writes with one version', op])
    versions.set(op.version, op.id)
  }
  const known = operations.filter((op) => op.kind !== WRITE || op.version !== 0)
  const byEnd = known.toSorted((a, b) => a.end - b.end)
  let last
  let at = 0
  for (const op of known.toSorted((a, b) => a.begin - b.begin)) {
    for (; byEnd[at].end < op.begin; at++) if (last === undefined || byEnd[at].version > last.version) last = byEnd[at]
    if (last === undefined || last === op) continue
    if (op.version < last.version || (op.kind === WRITE && op.version === last.version))
      found.push(['older than what ended before it began', op, last])
  }
  return found
}

async function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      workers: { type: 'string', default: '4' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  })
  const [seconds, count, seed] = [Number(values.seconds), Number(values.workers), Number(values.seed)]
  const directory = mkdtempSync(join('/dev/shm', 'sealog-threads-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'store')
  const db = open(path, { capacity: '32MiB' })
  db.namespace('registers')
  const workers = Array.from({ length: count }, (_, me) => {
    return new Worker(new URL(import.meta.url), { workerData: { path, me, seed } })
  })
  const answers = () =>
    Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    )
  for (const worker of workers) worker.setMaxListeners(0)
  await answers()

  const beginMs = performance.now()
  const perKey = Array.from({ length: keys }, () => [])
  let [histories, operations, torn, bad] = [0, 0, 0, 0]
  const done = { increments: 0, transactions: 0 }
  while (performance.now() - beginMs < seconds * 1000) {
    const answering = answers()
    for (const worker of workers) worker.postMessage('go')
    const round = await answering
    for (const all of perKey) {
      // The last writes of before may be read now.
      const newest = new Map()
      for (const op of all) if (op.kind === WRITE && op.version !== 0) newest.set(op.id, op)
      const kept = [...newest.values()].toSorted((a, b) => b.version - a.version).slice(0, 1)
      all.length = 0
      all.push(...kept)
    }
    for (const { records, torn: seen, increments, transactions } of round) {
      torn += seen
      done.increments += increments
      done.transactions += transactions
      for (let at = 0; at < records.length; at += fields) {
        const [kind, key, id, version, begin, end] = records.subarray(at, at + fields)
        perKey[key].push({ kind, id, version, begin, end })
        operations++
      }
    }
    for (const [key, all] of perKey.entries()) {
      histories++
      const found = violations(all)
      bad += found.length
      for (const [what, ...ops] of found.slice(0, 3)) console.log(`k${key}: ${what}`, ...ops)
    }
  }
  for (const worker of workers) worker.postMessage('end')
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))))
  const { problems } = await db.verify()
  const lost = done.increments + done.transactions - (db.get('increments') ?? 0) - (db.get('transactions') ?? 0)
  db.close()
  const failures = bad + torn + lost + problems.length
  console.log(
    `figures: ${JSON.stringify({ lane: 'threads', seed, workers: count, histories, operations, violations: bad, torn, ...done, lost, problems: problems.length, seconds: Math.round((performance.now() - beginMs) / 100) / 10 })}`,
  )
  if (failures !== 0) console.log(`FAILED: npm run test:threads -- --seed ${seed} --workers ${count}`)
  process.exitCode = failures === 0 ? 0 : 1
}

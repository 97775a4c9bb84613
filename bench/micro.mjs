// Every public operation of Sealog, one by one, by tinybench: kinds and sizes of keys and values.
// Usage: npm run bench:micro -- [--smoke] [--dir DIR] [--filter TEXT] [--json FILE]
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { Bench } from 'tinybench'
import { open } from '../dist/index.js'
import { keyAt, makeObjects, makeValues } from './lib/data.mjs'
import { short } from './lib/figures.mjs'
import { uniformOrder } from './lib/random.mjs'

const { values: options } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
    filter: { type: 'string', default: '' },
    json: { type: 'string' },
  },
})
const count = options.smoke ? 1_000 : 20_000
const order = uniformOrder(4096, count, 1)
const directory = mkdtempSync(join(options.dir, 'sealog-micro-'))
const time = options.smoke ? 2 : 200
const results = []
let turn = 0
/** Another number below `count` each time. */
const next = () => order[turn++ & 4095]

/** What an operation answered is kept, so that it is not compiled away. */
let kept
async function suite(
  group,
  operations,
  limits = options.smoke ? { iterations: 4, warmupIterations: 2 } : { iterations: 64 },
) {
  const wanted = Object.entries(operations).filter(([name]) => `${group} ${name}`.includes(options.filter))
  if (wanted.length === 0) return
  const bench = new Bench({ name: group, time, warmupTime: time / 4, ...limits })
  for (const [name, operation] of wanted) {
    bench.add(
      name,
      operation.constructor.name === 'AsyncFunction'
        ? async () => {
            kept = await operation()
          }
        : () => {
            kept = operation()
          },
    )
  }
  await bench.run()
  for (const { name, result } of bench.tasks) {
    if (result?.state !== 'completed') throw result?.error ?? new Error(`${group} ${name} did not end`)
    const { latency, throughput } = result
    results.push({
      group,
      name,
      perSecond: throughput.p50 ?? throughput.mean,
      p50Us: latency.p50 * 1e3,
      p99Us: latency.p99 * 1e3,
      samples: latency.samplesCount,
    })
  }
}

function store(name, storeOptions) {
  return open(join(directory, name), { capacity: options.smoke ? '64MiB' : '2GiB', ...storeOptions })
}

try {
  const bytes = makeValues()
  const objects = makeObjects()
  const kinds = { binary: bytes, msgpack: objects, json: objects, string: objects.map((o) => JSON.stringify(o)) }
  // Puts are bounded: nothing is given back before a cleaner has been there.
  for (const [encoding, values] of Object.entries(kinds)) {
    const db = store(`v-${encoding}`, { encoding })
    for (let i = 0; i < count; i++) db.putSync(keyAt(i), values[i & 1023])
    await suite(`values ${encoding}`, {
      get: () => db.get(keyAt(next())),
      putSync: () => db.putSync(keyAt(next()), values[turn & 1023]),
      'range of 100': () => db.range({ gte: keyAt(next()), limit: 100 }).toArray(),
    })
    db.close()
  }

  const keyKinds = {
    'ordered, 16 characters': [{ keys: 'ordered' }, keyAt],
    'ordered, numbers': [{ keys: 'ordered' }, (i) => i],
    'ordered, arrays': [{ keys: 'ordered' }, (i) => ['user', i]],
    'utf8, 16 characters': [{ keys: 'utf8' }, keyAt],
    'utf8, 200 characters': [{ keys: 'utf8' }, (i) => keyAt(i).padStart(200, 'k')],
    'binary, 16 bytes': [{ keys: 'binary' }, (i) => Buffer.from(keyAt(i), 'latin1')],
  }
  for (const [kind, [storeOptions, keyOf]] of Object.entries(keyKinds)) {
    const db = store(`k-${Object.keys(keyKinds).indexOf(kind)}`, { encoding: 'binary', ...storeOptions })
    for (let i = 0; i < count; i++) db.putSync(keyOf(i), bytes[i & 1023])
    await suite(`keys ${kind}`, {
      'the key alone': () => keyOf(next()),
      get: () => db.get(keyOf(next())),
      has: () => db.has(keyOf(next())),
      putSync: () => db.putSync(keyOf(next()), bytes[turn & 1023]),
      'keys of 100': () => db.keys({ gte: keyOf(next()), limit: 100 }).toArray(),
    })
    db.close()
  }

  for (const size of [8, 100, 1000, 10_000, 100_000]) {
    const db = store(`s-${size}`, { encoding: 'binary' })
    const value = Buffer.alloc(size, 7)
    const some = Math.min(count, options.smoke ? 50 : 500)
    for (let i = 0; i < some; i++) db.putSync(keyAt(i), value)
    await suite(`value of ${size} bytes`, { get: () => db.get(keyAt(next() % some)) })
    // So many and no more: they stay in the log.
    const puts = Math.min(20_000, Math.floor((options.smoke ? 5e6 : 4e8) / size))
    const bounded = { time: 0, warmupTime: 0, iterations: puts, warmupIterations: Math.ceil(puts / 4) }
    await suite(`value of ${size} bytes`, { putSync: () => db.putSync(keyAt(next() % some), value) }, bounded)
    db.close()
  }

  const db = store('all', { encoding: 'msgpack' })
  for (let i = 0; i < count; i++) db.putSync(keyAt(i), objects[i & 1023])
  const ns = db.namespace('ns')
  for (let i = 0; i < count; i++) ns.putSync(keyAt(i), objects[i & 1023])
  const some = (n) => Array.from({ length: n }, () => keyAt(next()))
  const batch = (n) => some(n).map((key) => ({ type: 'put', key, value: objects[turn & 1023] }))
  await suite('reads', {
    get: () => db.get(keyAt(next())),
    'get, absent': () => db.get('nobody'),
    getBinary: () => db.getBinary(keyAt(next())),
    getEntry: () => db.getEntry(keyAt(next())),
    has: () => db.has(keyAt(next())),
    'getMany of 100': () => db.getMany(some(100)),
    'range of 1': () => db.range({ gte: keyAt(next()), limit: 1 }).toArray(),
    'range of 100': () => db.range({ gte: keyAt(next()), limit: 100 }).toArray(),
    'range of 100, reverse': () => db.range({ lte: keyAt(next()), limit: 100, reverse: true }).toArray(),
    'keys of 100': () => db.keys({ gte: keyAt(next()), limit: 100 }).toArray(),
    'values of 100': () => db.values({ gte: keyAt(next()), limit: 100 }).toArray(),
    'count of all': () => db.count(),
    'count of a range': () => db.count({ gte: keyAt(next()) }),
    'snapshot, get, release'() {
      const snapshot = db.snapshot()
      const value = snapshot.get(keyAt(next()))
      snapshot.release()
      return value
    },
    'get, namespace': () => ns.get(keyAt(next())),
    stats: () => db.stats(),
  })
  await suite('writes, durable on return', {
    putSync: () => db.putSync(keyAt(next()), objects[turn & 1023]),
    'putSync, new key': () => db.putSync(`new-${turn++}`, objects[turn & 1023]),
    'putSync, ttl': () => db.putSync(keyAt(next()), objects[turn & 1023], { ttl: 3_600_000 }),
    'putSync, ifVersion'() {
      const key = keyAt(next())
      return db.putSync(key, objects[turn & 1023], { ifVersion: db.getEntry(key)?.version })
    },
    'putSync, namespace': () => ns.putSync(keyAt(next()), objects[turn & 1023]),
    'removeSync and putSync'() {
      const key = keyAt(next())
      db.removeSync(key)
      db.putSync(key, objects[turn & 1023])
    },
    incrementSync: () => db.incrementSync('counter'),
    'batchSync of 10': () => db.batchSync(batch(10)),
    'batchSync of 1,000': () => db.batchSync(batch(1000)),
    'transactionSync: get, put': () =>
      db.transactionSync((tx) => {
        const key = keyAt(next())
        tx.put(key, tx.get(key) ?? objects[0])
      }),
  })
  await suite('writes, with a promise', {
    'await put': async () => db.put(keyAt(next()), objects[turn & 1023]),
    'await 100 puts': async () => Promise.all(some(100).map((key) => db.put(key, objects[turn & 1023]))),
    'await remove, put': async () =>
      Promise.all([db.remove(keyAt(next())), db.put(keyAt(next()), objects[turn & 1023])]),
    'await increment': async () => db.increment('counter'),
    'await batch of 10': async () => db.batch(batch(10)),
    'await transaction: get, put': async () =>
      db.transaction((tx) => {
        const key = keyAt(next())
        tx.put(key, tx.get(key) ?? objects[0])
      }),
    'await flush': async () => db.flush(),
  })
  db.close()
  await suite('open and close', {
    'open, close': () => open(join(directory, 'all')).close(),
  })
  void kept

  const table = new Table({
    head: ['', 'operation', 'per second', 'p50 µs', 'p99 µs'],
    style: { head: [], border: [], compact: true },
  })
  let shown
  for (const { group, name, perSecond, p50Us, p99Us } of results) {
    table.push([group === shown ? '' : group, name, short(perSecond), short(p50Us), short(p99Us)])
    shown = group
  }
  console.log(table.toString())
  if (options.json) writeFileSync(options.json, JSON.stringify(results, undefined, 2))
} finally {
  rmSync(directory, { recursive: true, force: true })
}

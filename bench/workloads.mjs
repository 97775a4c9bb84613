// What is measured. A workload gets `bench` (cell.mjs): keys, values, the engine, and clocks; it returns a result.
//   on        'empty': fills a store; 'loaded': reads one of `count` keys, shared; 'copy': changes a copy of that
//   needs     operations that the engine must have
//   unit      what `opsPerSecond` counts
//   db_bench and YCSB have given the names, where they have one.
import { absent, absentKeyAt, keyAt, makeBatch, makeBatches, poolSize, valueOf } from './lib/data.mjs'
import { permutation, randomBits, uniformOrder } from './lib/random.mjs'
import { zipfianOrder, zipfianRanks } from './lib/zipf.mjs'

const batchSize = 1000

/** Loads, overwrites or deletes in batches; the time per batch is known too. */
function inBatches(bench, order, n) {
  const { values, engine, model } = bench
  const step = (i) => engine.batch(makeBatch(order, i * batchSize, (i + 1) * batchSize, values, n))
  const done = bench.time(Math.ceil(order.length / batchSize), step, {
    async: engine.asyncWrites,
    per: batchSize,
    latencies: 'inline',
    warmSeconds: 0,
    seconds: bench.loadSeconds,
  })
  const finish = (result) => {
    const ops = Math.min(order.length, result.ops)
    for (let i = 0; i < ops; i++) model[order[i]] = n === undefined ? absent : valueOf(order[i], n)
    return { ...result, ops }
  }
  return done instanceof Promise ? done.then(finish) : finish(done)
}

const fill = (title, orderOf) => ({
  title,
  on: 'empty',
  needs: ['batch'],
  unit: 'puts/s',
  run: (bench) => inBatches(bench, orderOf(bench.count), 0),
})

/** Gets, one at a time; the sum of what was read is checked. */
function gets(bench, order, keyOf = keyAt) {
  const { engine, values } = bench
  let sum = 0
  let missing = 0
  const one = (i) => {
    const value = engine.get(keyOf(order[i]))
    if (value === undefined) missing++
    else sum += value[0]
  }
  const result = bench.time(order.length, one, { latencies: 'after' })
  let expected = 0
  for (const ops of result.runs) for (let i = 0; i < ops; i++) expected += values[valueOf(order[i], 0)][0]
  const ran = result.runs.reduce((a, b) => a + b, 0)
  if (bench.stores && keyOf === keyAt)
    bench.assert(sum === expected && missing === 0, `read ${sum}, ${missing} missing`)
  if (bench.stores && keyOf !== keyAt)
    bench.assert(missing === ran, `${ran - missing} keys that are not there were found`)
  return result
}

const read = (title, orderOf, needs = ['get']) => ({
  title,
  on: 'loaded',
  needs,
  unit: 'gets/s',
  run: (bench) => gets(bench, orderOf(bench.ops, bench.count)),
})

/** Durable puts, one at a time: throughput, then latencies. */
function puts(bench, order) {
  const { values, engine, model } = bench
  const put = (i) => {
    const k = order[i]
    const value = (model[k] + 1) & (poolSize - 1)
    model[k] = value
    return engine.put(keyAt(k), values[value])
  }
  return bench.time(order.length, put, { async: engine.asyncWrites, latencies: 'after', chunk: 16 })
}

/** A thousand callers, each of which waits for its put before the next. */
async function concurrentPuts(bench, order) {
  const { values, engine, model } = bench
  const callers = Math.min(1000, order.length)
  const run = async (seconds, max, latencies) => {
    const begin = performance.now()
    const deadline = begin + seconds * 1000
    let next = 0
    const caller = async () => {
      while (next < max) {
        const k = order[next++]
        const value = (model[k] + 1) & (poolSize - 1)
        model[k] = value
        const start = performance.now()
        await engine.putShared(keyAt(k), values[value])
        const end = performance.now()
        latencies?.record(end - begin, end - start)
        if (end > deadline) break
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    return { ops: next, seconds: (performance.now() - begin) / 1000 }
  }
  await run(bench.warmSeconds, order.length / 10)
  const delay = bench.eventLoopDelay()
  const timed = await run(bench.seconds, order.length)
  const eventLoop = delay.stop()
  const latencies = bench.latencies()
  await run(bench.seconds, order.length, latencies)
  return {
    ...timed,
    opsPerSecond: timed.ops / timed.seconds,
    capped: timed.ops < order.length,
    latency: latencies.result(),
    eventLoop,
  }
}

/** YCSB: a mix of reads, updates, inserts, scans and read-modify-writes; each change is durable before the next operation. */
function ycsb(letter, { read: reads = 0, update = 0, insert = 0, scan = 0, modify = 0 }, latest = false) {
  const needs = ['get', 'put', ...(scan > 0 ? ['range'] : [])]
  return {
    title: `YCSB ${letter}: ${Object.entries({ read: reads, update, insert, scan, 'read-modify-write': modify })
      .filter(([, share]) => share > 0)
      .map(([what, share]) => `${share} % ${what}`)
      .join(', ')}${latest ? ', latest' : ', zipfian'}`,
    on: 'copy',
    needs,
    unit: 'ops/s',
    run(bench) {
      const { engine, values, count, ops } = bench
      const bits = randomBits(letter.charCodeAt(0))
      const order = zipfianOrder(ops, count, 7)
      const rank = zipfianRanks(count, 8)
      const kinds = new Uint8Array(ops)
      const lengths = new Uint8Array(ops)
      let inserted = 0
      for (let i = 0; i < ops; i++) {
        const dice = bits() % 100
        kinds[i] =
          dice < reads
            ? 0
            : dice < reads + update
              ? 1
              : dice < reads + update + insert
                ? 2
                : dice < 100 - modify
                  ? 3
                  : 4
        lengths[i] = 1 + (bits() % 100)
        if (kinds[i] === 2) order[i] = count + inserted++
        else if (latest) order[i] = count + inserted - 1 - Math.min(rank(), count + inserted - 1)
      }
      bench.grow(count + inserted)
      let lost = 0
      const put = (k) => {
        const value = (bench.model[k] + 1) & (poolSize - 1)
        bench.model[k] = value
        return engine.put(keyAt(k), values[value])
      }
      const get = (k) => {
        const value = engine.get(keyAt(k))
        // After inserts that the warm-up has run already the key may be there; a loaded one always is.
        if (value === undefined && k < count) lost++
        return value
      }
      const one = (i) => {
        const k = order[i]
        switch (kinds[i]) {
          case 0:
            get(k)
            return undefined
          case 1:
          case 2:
            return put(k)
          case 3:
            return engine.range(keyAt(k), lengths[i])
          default:
            get(k)
            return put(k)
        }
      }
      const result = bench.time(ops, one, { async: engine.asyncWrites || (scan > 0 && engine.asyncScans), chunk: 16 })
      const check = (done) => {
        bench.assert(lost === 0, `${lost} keys were not found`)
        return done
      }
      return result instanceof Promise ? result.then(check) : check(result)
    },
  }
}

export const workloads = {
  fillseq: fill('load in order, 1,000 per batch', (count) => Uint32Array.from({ length: count }, (_, i) => i)),
  fillrandom: fill('load in random order, 1,000 per batch', (count) => permutation(count, 1)),
  overwrite: {
    title: 'overwrite in random order, 1,000 per batch',
    on: 'copy',
    needs: ['batch'],
    unit: 'puts/s',
    run: (bench) => inBatches(bench, permutation(bench.count, 2), 1),
  },
  deleterandom: {
    title: 'delete in random order, 1,000 per batch',
    on: 'copy',
    needs: ['batch'],
    unit: 'deletes/s',
    run: (bench) => inBatches(bench, permutation(bench.count, 3), undefined),
  },
  put: {
    title: 'durable puts, one at a time, random keys',
    on: 'copy',
    needs: ['put'],
    unit: 'puts/s',
    run: (bench) => puts(bench, uniformOrder(bench.ops, bench.count, 4)),
  },
  putconcurrent: {
    title: 'durable puts, 1,000 in flight, random keys',
    on: 'copy',
    needs: ['putShared'],
    unit: 'puts/s',
    run: (bench) => concurrentPuts(bench, uniformOrder(bench.ops, bench.count, 5)),
  },
  readrandom: read('get, uniform', (ops, count) => uniformOrder(ops, count, 6)),
  readzipfian: read('get, zipfian', (ops, count) => zipfianOrder(ops, count, 6)),
  readmissing: {
    title: 'get of absent keys between others',
    on: 'loaded',
    needs: ['get'],
    unit: 'gets/s',
    run: (bench) => gets(bench, uniformOrder(bench.ops, bench.count, 6), absentKeyAt),
  },
  readobject: {
    title: 'get of a small object',
    on: 'loaded',
    needs: ['get'],
    values: 'object',
    unit: 'gets/s',
    run(bench) {
      const { engine, values } = bench
      const order = uniformOrder(bench.ops, bench.count, 6)
      let sum = 0
      const result = bench.time(order.length, (i) => {
        sum += engine.get(keyAt(order[i])).id
      })
      let expected = 0
      for (const ops of result.runs) for (let i = 0; i < ops; i++) expected += values[valueOf(order[i], 0)].id
      if (bench.stores) bench.assert(sum === expected, `read ${sum}, not ${expected}`)
      return result
    },
  },
  getmany: {
    title: 'getMany of 100, uniform',
    on: 'loaded',
    needs: ['getMany'],
    unit: 'gets/s',
    run(bench) {
      const { engine, values } = bench
      const order = uniformOrder(bench.ops - (bench.ops % 100), bench.count, 6)
      let sum = 0
      const some = (i) => {
        for (const value of engine.getMany(Array.from(order.subarray(i * 100, (i + 1) * 100), keyAt))) sum += value[0]
      }
      const result = bench.time(order.length / 100, some, { per: 100, chunk: 4 })
      let expected = 0
      for (const ran of result.runs) for (let i = 0; i < ran * 100; i++) expected += values[valueOf(order[i], 0)][0]
      if (bench.stores) bench.assert(sum === expected, `read ${sum}, not ${expected}`)
      return result
    },
  },
  range: {
    title: 'range of 100 from a random key',
    on: 'loaded',
    needs: ['range'],
    unit: 'ranges/s',
    run(bench) {
      const { engine, count } = bench
      const order = uniformOrder(Math.max(100, Math.ceil(bench.ops / 20)), Math.max(1, count - 100), 6)
      let entries = 0
      let ran = 0
      const step = engine.asyncScans
        ? async (i) => {
            entries += await engine.range(keyAt(order[i]), 100)
            ran++
          }
        : (i) => {
            entries += engine.range(keyAt(order[i]), 100)
            ran++
          }
      const check = (result) => {
        if (bench.stores) bench.assert(entries === ran * 100, `${entries} entries in ${ran} ranges of 100`)
        return result
      }
      const result = bench.time(order.length, step, { async: engine.asyncScans, chunk: 8 })
      return result instanceof Promise ? result.then(check) : check(result)
    },
  },
  readseq: {
    title: 'full scan, keys and values',
    on: 'loaded',
    needs: ['scan'],
    unit: 'entries/s',
    run(bench) {
      const { engine, count } = bench
      const check = (entries) => {
        if (bench.stores) bench.assert(entries === count, `${entries} entries, not ${count}`)
      }
      const step = engine.asyncScans ? async () => check(await engine.scan()) : () => check(engine.scan())
      return bench.time(bench.stores ? 20 : 1000, step, { async: engine.asyncScans, chunk: 1, per: count })
    },
  },
  ycsba: ycsb('A', { read: 50, update: 50 }),
  ycsbb: ycsb('B', { read: 95, update: 5 }),
  ycsbc: ycsb('C', { read: 100 }),
  ycsbd: ycsb('D', { read: 95, insert: 5 }, true),
  ycsbe: ycsb('E', { scan: 95, insert: 5 }),
  ycsbf: ycsb('F', { read: 50, modify: 50 }),
  filesize: {
    title: 'bytes in the file per byte of keys and values, after 3 overwrites of all in random order',
    on: 'empty',
    grows: true,
    needs: ['bytes', 'batch'],
    unit: 'bytes/byte',
    async run(bench) {
      const { engine, values, model, count } = bench
      let loaded
      for (let n = 0; n <= 3; n++) {
        const order = permutation(count, 10 + n)
        for (const batch of makeBatches(order, values, n)) await engine.batch(batch)
        for (const k of order) model[k] = valueOf(k, n)
        loaded ??= engine.bytes()
      }
      const logical = count * 116
      return { value: engine.bytes() / logical, extra: { loaded: loaded / logical } }
    },
  },
  memory: {
    title: 'private memory of the process, MiB more than before open, after a get of every key',
    on: 'loaded',
    needs: ['get'],
    unit: 'MiB',
    async run(bench) {
      const { engine, count } = bench
      for (let i = 0; i < count; i++) engine.get(keyAt(i))
      globalThis.gc?.()
      const after = bench.memory()
      return {
        value: after.anonymous - bench.memoryBefore.anonymous,
        extra: { mapped: after.mapped - bench.memoryBefore.mapped },
      }
    },
  },
  // These run processes or threads of their own: run is in reopen.mjs and readers.mjs.
  reopenclean: {
    title: 'reopen after a clean end: ms to the first get',
    on: 'copy',
    needs: ['get'],
    unit: 'ms',
    own: './reopening.mjs',
  },
  reopenkilled: {
    title: 'reopen after SIGKILL under full load: ms to the first get',
    on: 'copy',
    needs: ['get'],
    unit: 'ms',
    own: './reopening.mjs',
  },
  readers: {
    title: 'get, uniform: two workers against one',
    on: 'loaded',
    needs: ['get'],
    unit: 'times',
    own: './readers.mjs',
  },
}

// One cell of the table: a workload with an engine at a size, in a process of its own. The parent (lib/cells.mjs) sends the task and gets a result.
//
// task: { workload: name, or 'prepare'; engine, mode; count (keys); ops; seconds; writesMax; directory; prepared }
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { loadAdapter } from './adapters/index.mjs'
import { absent, keyAt, makeBatches, makeObjects, makeValues, valueOf } from './lib/data.mjs'
import { Latencies } from './lib/latency.mjs'
import { timeSteps } from './lib/clock.mjs'
import { permutation, uniformOrder } from './lib/random.mjs'
import { memoryOf, settle } from './lib/system.mjs'
import { workloads } from './workloads.mjs'

function assert(holds, message) {
  if (!holds) throw new Error(`wrong answers: ${message}`)
}

/** The order in which the shared stores are loaded: random, as trees grow in life. */
export async function prepare({ engine: name, mode, values: kind, count, writesMax, directory }) {
  const adapter = await loadAdapter(name)
  const engine = await adapter.open(directory, { mode, values: kind, writesMax, bulk: true })
  const values = kind === 'object' ? makeObjects() : makeValues()
  for (const batch of makeBatches(permutation(count, 1), values, 0)) await engine.batch(batch)
  await engine.close()
  settle(directory)
  return {}
}

/** Compiles what is about to be measured, on a store that nobody looks at. */
async function warmUp(adapter, { mode, directory }, values) {
  const scratch = join(directory, 'warm')
  mkdirSync(scratch)
  const engine = await adapter.open(scratch, { mode, values: 'binary', writesMax: 60_000 })
  const order = permutation(20_000, 9)
  const deadline = performance.now() + 1000
  for (const n of [0, 1, undefined]) {
    for (const batch of makeBatches(order, values, n)) {
      if (performance.now() < deadline) await engine.batch(batch)
    }
  }
  await engine.close()
  rmSync(scratch, { recursive: true, force: true })
}

/** Opens the store again: each of some keys has what was written last, and the count is right. */
async function verify(adapter, task, kind, values, model) {
  const engine = await adapter.open(task.directory, { mode: task.mode, values: kind, writesMax: task.writesMax })
  let there = 0
  for (const value of model) if (value !== absent) there++
  if (engine.scan) {
    const found = await engine.scan()
    assert(found === there, `${found} entries after reopening, not ${there}`)
  }
  for (const k of uniformOrder(Math.min(2000, model.length), model.length, 99)) {
    const value = await engine.get(keyAt(k))
    const expected = model[k] === absent ? undefined : values[model[k]]
    const same = expected === undefined ? value === undefined : value !== undefined && expected.equals(value)
    assert(same, `key ${keyAt(k)} has not what was written last`)
  }
  await engine.close()
}

export async function runCell(task) {
  if (task.workload === 'prepare') return prepare(task)
  const workload = workloads[task.workload]
  const adapter = await loadAdapter(task.engine)
  const stores = adapter.kind === 'peer' || adapter.kind === 'sealog'
  const kind = workload.values ?? 'binary'
  let { directory } = task
  if (workload.on === 'copy' && task.prepared) cpSync(task.prepared, directory, { recursive: true })
  if (workload.on === 'loaded' && task.prepared) directory = task.prepared
  const local = { ...task, directory }
  if (workload.own) {
    const { run } = await import(workload.own)
    return run(local)
  }

  const values = kind === 'object' ? makeObjects() : makeValues()
  if (workload.on !== 'loaded' && workload.needs.includes('batch') && adapter.kind !== 'null') {
    await warmUp(adapter, task, values)
  }
  settle(task.directory)
  const memoryBefore = memoryOf()
  const { mode, writesMax } = task
  const engine = await adapter.open(directory, { mode, values: kind, writesMax, grows: workload.grows })
  const loaded = Uint16Array.from({ length: task.count }, (_, i) => (workload.on === 'empty' ? absent : valueOf(i, 0)))
  if (workload.on !== 'empty') {
    // Floors have nothing to be copied; everybody's pages are mapped and cached by a look at all of them.
    if (!stores) for (const batch of makeBatches(permutation(task.count, 1), values, 0)) await engine.batch(batch)
    if (stores && engine.scan && task.workload !== 'memory') {
      const found = await engine.scan()
      assert(found === task.count, `${found} entries before it began, not ${task.count}`)
    }
  }
  const bench = {
    ...task,
    engine,
    values,
    stores,
    model: loaded,
    memoryBefore,
    warmSeconds: task.seconds / 5,
    assert,
    memory: memoryOf,
    /** Keys may be inserted. */
    grow(count) {
      const model = new Uint16Array(count).fill(absent)
      model.set(bench.model)
      bench.model = model
    },
    latencies: () => new Latencies(task.seconds * 1000),
    time: (steps, step, how = {}) => timeSteps(steps, step, { seconds: task.seconds, ...how }),
    eventLoopDelay() {
      const histogram = monitorEventLoopDelay({ resolution: 1 })
      histogram.enable()
      const begin = performance.now()
      return {
        stop() {
          histogram.disable()
          // The loop did not turn once.
          const whole = performance.now() - begin
          if (histogram.count === 0) return { p50: whole, p99: whole, max: whole, stood: true }
          return { p50: histogram.percentile(50) / 1e6, p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 }
        },
      }
    },
  }
  globalThis.gc?.()
  const { runs, ...result } = await workload.run(bench)
  void runs
  const persistence = engine.persistence
  await engine.close()
  if (stores && workload.on !== 'loaded') await verify(adapter, local, kind, values, bench.model)
  return { ...result, ...(persistence && { persistence }) }
}

if (process.send) {
  // Nobody waits for the answer any more.
  process.once('disconnect', () => process.exit())
  process.once('message', async (task) => {
    try {
      process.send({ result: await runCell(task) })
    } catch (error) {
      process.send({ error: error.message, skip: error.skip === true })
    }
    process.disconnect()
  })
}

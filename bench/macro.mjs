// Workloads × engines × sizes on one file system, engines interleaved in rounds.
import { loadAdapter } from './adapters/index.mjs'
import { Cells } from './lib/cells.mjs'
import { median, spread } from './lib/figures.mjs'
import { fileSystemOf } from './lib/system.mjs'
import { smallerWins } from './targets.mjs'
import { workloads } from './workloads.mjs'

/** A peer that is so many times behind the best one in the first round is not measured again. */
const farBehind = 2

/** Changes whose price depends on what they promise; all else is measured in the safest mode only. */
const promiseMatters = new Set(['fillseq', 'fillrandom', 'overwrite', 'deleterandom', 'put', 'putconcurrent', 'ycsba'])

/**
 * Every mode of the engines that has one of the promises, with the adapter's facts.
 * @param {readonly { name: string, label?: string, tree?: string }[]} wanted `tree`: where that Sealog is (bench:compare)
 */
export async function engineModes(wanted, promises) {
  const found = []
  const missing = []
  for (const { name, label = name, tree } of wanted) {
    try {
      const adapter = await loadAdapter(name)
      for (const [mode, { promise, settings }] of Object.entries(adapter.modes)) {
        if (promise !== 'none' && !promises.includes(promise)) continue
        const shown = promise === 'kill' ? `${label} (${mode})` : label
        found.push({
          engine: name,
          label: shown,
          tree,
          mode,
          promise,
          settings,
          kind: adapter.kind,
          version: adapter.version(),
        })
      }
    } catch (error) {
      missing.push({ name, reason: error.message.split('\n')[0] })
    }
  }
  return { found, missing }
}

/**
 * @param {object} plan
 * @param {string} plan.directory on the file system to be measured
 * @param {object[]} plan.engines of engineModes
 * @param {string[]} plan.names of workloads
 * @param {number[]} plan.sizes numbers of keys; all workloads at the last one, those of `sweep` at each
 * @param {string[]} plan.sweep
 * @param {number} plan.rounds
 * @param {number} plan.seconds at most, per phase of a cell
 * @param {number} plan.loadSeconds the same, for loads
 * @param {number} plan.opsMin operations per phase, where that is more than there are keys
 * @param {(rows: object[]) => void} plan.onRows after each workload and size: a row for each engine
 * @param {(done: number, all: number, what: string) => void} plan.onProgress
 */
export async function runMacro(plan) {
  const { directory, engines, sizes, rounds, seconds, loadSeconds, onProgress } = plan
  const fs = fileSystemOf(directory)
  const cells = new Cells(directory)
  const planned = sizes.flatMap((count, at) =>
    plan.names
      .filter((name) => at === sizes.length - 1 || plan.sweep.includes(name))
      .map((name) => ({ count, name, engines: engines.filter((engine) => takesPart(engine, name)) })),
  )
  const all = planned.reduce((sum, { engines: part }) => sum + part.length * rounds, 0)
  let done = 0
  let size
  try {
    for (const { count, name, engines: part } of planned) {
      if (size !== count) cells.forget()
      size = count
      const workload = workloads[name]
      const results = new Map(part.map((engine) => [engine, []]))
      for (let round = 0; round < rounds; round++) {
        // Another one begins in each round.
        for (let i = 0; i < part.length; i++) {
          const engine = part[(i + round) % part.length]
          onProgress(done++, all, `${fs} ${count} ${name} ${engine.label}`)
          if (results.get(engine).some(({ error, skip }) => error || skip)) continue
          if (round > 0 && isFarBehind(engine, name, results)) continue
          const { engine: adapter, label, mode, tree } = engine
          const ops = Math.max(count, plan.opsMin)
          const task = { workload: name, engine: adapter, label, mode, tree, count, ops, seconds, loadSeconds }
          const writesMax = workload.on === 'empty' ? count * 1.3 : count + Math.max(3 * count, 2.5 * ops)
          const stores = engine.kind === 'peer' || engine.kind === 'sealog'
          results.get(engine).push(await cells.run({ ...task, writesMax }, workload, { stores }))
        }
      }
      plan.onRows([...results].map(([engine, answers]) => rowOf(fs, count, name, engine, answers)))
    }
  } finally {
    cells.close()
  }
  onProgress(all, all, '')
}

/** Whether the round before has shown that this is not the best peer of its promise, by far: then one round is enough. */
function isFarBehind({ kind, promise, label }, workload, results) {
  if (kind !== 'peer') return false
  const firsts = [...results]
    .filter(([other]) => other.kind === 'peer' && other.promise === promise)
    .map(([other, [first]]) => ({ label: other.label, figure: first?.value ?? first?.opsPerSecond }))
    .filter(({ figure }) => figure !== undefined)
  const own = firsts.find((first) => first.label === label).figure
  const figures = firsts.map(({ figure }) => figure)
  return smallerWins.has(workload) ? own > farBehind * Math.min(...figures) : own < Math.max(...figures) / farBehind
}

function takesPart({ promise, kind, engine }, name) {
  const { needs, own } = workloads[name]
  if (own && (kind === 'floor' || kind === 'null')) return false
  if (promise === 'kill' && !promiseMatters.has(name)) return false
  // The floors and the null engine can do a part only.
  const can = { map: ['put', 'batch', 'get', 'getMany'], file: ['put', 'putShared', 'batch'] }[engine]
  if (can && !needs.every((need) => can.includes(need))) return false
  if (engine === 'file' && needs.includes('get')) return false
  return !(kind === 'null' && needs.includes('bytes'))
}

/** Medians over the rounds; latencies and series are those of the median round. */
function rowOf(fs, count, workload, { engine, label, mode, promise, kind, version, tree }, answers) {
  const base = { fs, count, workload, engine, label, mode, promise, kind, version, ...(tree && { tree }) }
  const refused = answers.find(({ error, skip }) => error || skip)
  if (refused) return { ...base, ...refused }
  const measure = (answer) => answer.value ?? answer.opsPerSecond
  const figures = answers.map(measure)
  const middle = median(figures)
  const nearest = answers.reduce((a, b) => (Math.abs(measure(b) - middle) < Math.abs(measure(a) - middle) ? b : a))
  return { ...base, ...nearest, figure: middle, rounds: figures, spread: spread(figures) }
}

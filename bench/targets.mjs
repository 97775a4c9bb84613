// What Sealog is to reach, and whether a run did. Times are net of the null engine, against the best peer of equal promise.
import { ratios } from './lib/figures.mjs'

/**
 * `memory` and `disk`: at least so many times the best peer. `floor`: so many times the file that is written and flushed, on a disk.
 * `p50Max` µs; `max`: of the figure itself; `own`: times another workload of Sealog's; `tail`: p99.99 over the median, in memory.
 */
export const targets = {
  put: { memory: 12, disk: 1.2, floor: 0.9, p50Max: 1, tail: 20 },
  putconcurrent: { memory: 5, disk: 1.5 },
  fillrandom: { memory: 8, disk: 8 },
  fillseq: { memory: 2, disk: 1.2 },
  overwrite: { memory: 4, disk: 3 },
  deleterandom: { memory: 4, disk: 3 },
  readrandom: { memory: 2, disk: 2 },
  readzipfian: { memory: 2, disk: 2 },
  readmissing: { memory: 3, disk: 3 },
  readobject: { memory: 1.5, disk: 1.5 },
  getmany: { own: 'readrandom', times: 1.5 },
  range: { memory: 2, disk: 2 },
  readseq: { memory: 3, disk: 3 },
  readers: { min: 1.8 },
  reopenkilled: { max: 10 },
  filesize: { max: 1.8 },
}

/** The targets are for 1,000,000 keys; with fewer than this they say nothing. */
const keysMin = 50_000

/** Smaller is better. */
export const smallerWins = new Set(['reopenclean', 'reopenkilled', 'filesize', 'memory'])

/**
 * The rows of one file system and size, side by side: Sealog, the best peer that promises the same, the floors, and what was to be reached.
 * @param {readonly object[]} rows of runMacro, of one file system and size
 * @returns {object[]} one for each workload and promise; `verdicts` are `{ what, met }`
 */
export function compare(rows) {
  const lines = []
  const memory = rows[0]?.fs === 'tmpfs'
  const find = (workload, test) => rows.find((row) => row.workload === workload && test(row))
  for (const ours of rows.filter(({ kind }) => kind === 'sealog')) {
    const { workload, promise } = ours
    const peers = rows.filter((row) => row.workload === workload && row.kind === 'peer' && row.promise === promise)
    const better = smallerWins.has(workload) ? (a, b) => a.figure < b.figure : (a, b) => a.figure > b.figure
    const best = peers
      .filter((row) => row.figure !== undefined)
      .reduce((a, b) => (a && better(a, b) ? a : b), undefined)
    const nothing = find(workload, ({ kind }) => kind === 'null')?.figure
    const floor = find(workload, ({ engine }) => engine === 'file') ?? find(workload, ({ engine }) => engine === 'map')
    const line = { workload, promise, ours, best, nothing, floor, verdicts: [] }
    lines.push(line)
    if (ours.figure === undefined) continue
    if (best) {
      line.times = smallerWins.has(workload)
        ? { raw: best.figure / ours.figure, net: undefined }
        : workload === 'readers'
          ? { raw: ours.figure / best.figure, net: undefined }
          : ratios(ours.figure, best.figure, nothing)
    }
    if (promise !== 'power') continue
    const target = targets[workload]
    // With few keys everything is in the CPU's caches, and nothing has warmed up.
    if (!target || ours.count < keysMin) continue
    const judge = (what, value, wanted, least = true) =>
      line.verdicts.push({ what, met: least ? value >= wanted : value <= wanted })
    const times = target[memory ? 'memory' : 'disk']
    if (times !== undefined && line.times) judge(`≥ ${times}×`, line.times.net ?? line.times.raw, times)
    if (target.floor !== undefined && !memory && floor)
      judge(`≥ ${target.floor} of the floor`, ours.figure / floor.figure, target.floor)
    if (target.p50Max !== undefined && memory && ours.latency)
      judge(`p50 ≤ ${target.p50Max} µs`, ours.latency.p50, target.p50Max, false)
    if (target.tail !== undefined && memory && ours.latency)
      judge(`p99.99 ≤ ${target.tail} × p50`, ours.latency.p9999, target.tail * ours.latency.p50, false)
    if (target.min !== undefined) judge(`≥ ${target.min}`, ours.figure, target.min)
    if (target.max !== undefined) judge(`≤ ${target.max}`, ours.figure, target.max, false)
    if (target.own !== undefined) {
      const one = find(target.own, (row) => row.kind === 'sealog' && row.label === ours.label)
      const none = find(target.own, ({ kind }) => kind === 'null')?.figure
      if (one?.figure !== undefined) {
        // Their null engines differ: a get of its own makes no array.
        const net = 1 / (1 / ours.figure - 1 / nothing) / (1 / (1 / one.figure - 1 / none))
        line.own = { raw: ours.figure / one.figure, net: Number.isFinite(net) && net > 0 ? net : undefined }
        judge(`≥ ${target.times}× own get`, line.own.net ?? line.own.raw, target.times)
      }
    }
  }
  return lines
}

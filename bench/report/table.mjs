// Tables for a terminal and for docs/performance.md.
import Table from 'cli-table3'
import { short } from '../lib/figures.mjs'
import { compare } from '../targets.mjs'
import { workloads } from '../workloads.mjs'

const factor = (times) => (times === undefined ? '' : times.toFixed(times < 10 ? 2 : 1))

/** Rows of one file system and size, as cells of text. */
export function tableOf(rows) {
  return compare(rows).map(({ workload, promise, ours, best, nothing, floor, times, own, verdicts }) => {
    const { unit } = workloads[workload]
    const figure = (row) => {
      if (row === undefined) return ''
      if (row.figure === undefined) return row.skip ? 'skipped' : 'failed'
      return short(row.figure)
    }
    const worst = ours.latency
      ? `${short(ours.latency.p50)} / ${short(ours.latency.p99)} / ${short(ours.latency.p9999)}`
      : ''
    return {
      workload: `${workload}${promise === 'power' ? '' : ` (${promise})`}`,
      unit,
      sealog: figure(ours),
      latency: worst,
      peer: best ? `${figure(best)} ${best.engine}` : '',
      raw: factor((own ?? times)?.raw),
      net: factor((own ?? times)?.net),
      floor: floor ? `${short(floor.figure)} ${floor.engine}` : '',
      null: nothing === undefined ? '' : short(nothing),
      target: verdicts.map(({ what, met }) => `${what} ${met ? 'met' : 'NOT MET'}`).join('; '),
    }
  })
}

export const tableHeads = [
  'workload',
  'unit',
  'Sealog',
  'p50 / p99 / p99.99 µs',
  'best peer',
  '× raw',
  '× net',
  'floor',
  'null',
  'target',
]

export function terminalTable(rows) {
  const table = new Table({ head: tableHeads, style: { head: [], border: [], compact: true } })
  for (const row of tableOf(rows)) table.push(Object.values(row))
  return table.toString()
}

export function markdownTable(rows) {
  const lines = [`| ${tableHeads.join(' | ')} |`, `|${tableHeads.map(() => '---|').join('')}`]
  for (const row of tableOf(rows)) lines.push(`| ${Object.values(row).join(' | ')} |`)
  return lines.join('\n')
}

/** What has no figure, and why. */
export function refusals(rows) {
  return rows
    .filter(({ figure }) => figure === undefined)
    .map(
      ({ fs, workload, label, skip, error }) =>
        `${fs} ${workload} ${label}: ${skip ? `skipped: ${skip}` : `FAILED: ${error}`}`,
    )
}

/** How long the event loop was kept waiting, where that was measured. */
export function eventLoops(rows) {
  return rows
    .filter(({ eventLoop, kind }) => eventLoop && kind !== 'null')
    .map(({ fs, count, workload, label, eventLoop: { p99, max, stood } }) => {
      const delay = stood
        ? `never turned in ${short(max)} ms`
        : `delayed by ${short(p99)} ms (p99), ${short(max)} ms at most`
      return `${fs} ${count} keys, ${workload}, ${label}: the event loop was ${delay}`.replace('was never', 'never')
    })
}

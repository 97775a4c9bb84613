import Table from 'cli-table3'

const domains = {
  pmem: 'pmem: a completed write survives kill -9, a crash of the system and a power failure.',
  disk: 'disk: a completed write survives kill -9, and a power failure if the drive honours flushes; each commit waits for it.',
  os: 'os: a completed write survives kill -9; a crash of the system leaves a consistent prefix.',
  memory:
    'memory: a completed write survives kill -9, but no reboot. On persistent memory the same code path writes to pmem.',
}

/**
 * @param {object} outcome
 * @param {import('./load.mjs').LoadResult} outcome.load
 * @param {import('./verify.mjs').Verdict} outcome.verdict of the whole store, at the end
 */
export function formatTable({ facts, words, load, verdict, lookups }) {
  const { single, promise, batch } = load.phases
  const recoveryMs = load.recoveries.map(({ ms }) => ms).sort((a, b) => a - b)
  const records = load.recoveries.map((recovery) => recovery.records)
  // No lines between the rows.
  const chars = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' }
  const table = new Table({ chars, style: { head: [], border: [] }, colAligns: ['left', 'right'] })
  table.push(
    ['persistence domain', facts.domain],
    ['seal level', facts.seal],
    ['flush instruction', facts.domain === 'disk' ? 'none (range-synced writes)' : facts.flush],
    ['words', format(words)],
    ['kills (SIGKILL in mid-write)', format(load.kills)],
    ['acknowledged writes verified after kills', format(load.verified)],
    ['acknowledged writes verified at the end', format(verdict.verified)],
    ['lost', format(load.lost + verdict.lost)],
    ['wrong', format(load.wrong + verdict.wrong)],
    ['durable single writes per second', rate(single)],
    ['promise writes per second', rate(promise)],
    ['batch writes per second', rate(batch)],
    ['fences per write: single', fences(single)],
    ['fences per write: promise', fences(promise)],
    ['fences per write: batch', fences(batch)],
    ['reads per second (random get)', format(lookups.getsPerSecond)],
    ["range and count of the prefix 'seal'", `${format(lookups.prefixCount)} words`],
  )
  if (recoveryMs.length > 0) {
    table.push(
      ['recovery after a kill (open to first get), median', `${median(recoveryMs).toFixed(1)} ms`],
      ['recovery after a kill (open to first get), worst', `${recoveryMs.at(-1).toFixed(1)} ms`],
      [
        'records replayed, median and worst',
        `${format(median(records.sort((a, b) => a - b)))}, ${format(records.at(-1))}`,
      ],
    )
  }
  return table.toString()
}

/** What the figures stand for, in a line. */
export function domainLine(domain) {
  return `This ran in the domain ${domains[domain]}`
}

function rate({ writes, ms }) {
  return ms === 0 ? '' : format((writes / ms) * 1000)
}

/** Waits of the writer, checkpoints left out. */
function fences({ writes, fences: count }) {
  return writes === 0 ? '' : (count / writes).toFixed(4)
}

function median(sorted) {
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export function format(number) {
  return Math.round(number).toLocaleString('en-US')
}

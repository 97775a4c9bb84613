import { isSealogError } from '../index.ts'
import { parseBytes } from '../options/bytes.ts'
import { type BenchResult, type BenchSettings, bytesPerPut, runBench } from './bench-run.ts'
import type { Latencies } from './latencies.ts'
import { domainMeanings, formatBytes } from './words.ts'

export interface BenchOptions {
  readonly keys: string
  readonly seconds: string
  readonly capacity: string
  readonly json: boolean
}

const percents = { p50: 50, p90: 90, p99: 99, 'p99.9': 99.9, 'p99.99': 99.99, max: 100 } as const

/**
 * `sealog bench PATH`: measures a store in a directory of the user's, and removes it.
 * @returns the exit code
 */
export async function runBenchCommand(path: string, options: BenchOptions): Promise<0 | 1> {
  const abort = new AbortController()
  const stop = (): void => {
    abort.abort(new DOMException('stopped', 'AbortError'))
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const result = await runBench(path, settingsOf(options), abort.signal)
    process.stdout.write(options.json ? `${JSON.stringify(plain(result), null, 2)}\n` : formatBench(result))
    return 0
  } catch (error) {
    const told =
      abort.signal.aborted || isSealogError(error) || error instanceof TypeError || error instanceof RangeError
    if (!told) throw error
    process.stderr.write(
      `sealog: ${abort.signal.aborted ? 'stopped; nothing is left behind' : (error as Error).message}\n`,
    )
    return 1
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

function settingsOf({ keys, seconds, capacity }: BenchOptions): BenchSettings {
  const parsed = parseBytes(capacity)
  if (!parsed.ok) throw new TypeError(`--capacity ${parsed.problem}`)
  const settings = { keys: Number(keys), seconds: Number(seconds), capacityBytes: parsed.bytes }
  if (!Number.isSafeInteger(settings.keys) || settings.keys < 1000)
    throw new RangeError('--keys must be a whole number, 1000 or more')
  if (!(settings.seconds > 0 && settings.seconds <= 600)) throw new RangeError('--seconds must be above 0, at most 600')
  const least = 64 * 2 ** 20 + settings.keys * 2 * bytesPerPut
  if (settings.capacityBytes < least)
    throw new RangeError(`--capacity must be at least ${formatBytes(least)} for ${settings.keys} keys`)
  return settings
}

function percentilesOf(latencies: Latencies): Record<keyof typeof percents, number> {
  return Object.fromEntries(
    Object.entries(percents).map(([name, percent]) => [name, latencies.percentile(percent)]),
  ) as Record<keyof typeof percents, number>
}

function plain({ figures, ...rest }: BenchResult): unknown {
  return {
    ...rest,
    figures: figures.map(({ latencies, ...figure }) => ({
      ...figure,
      ...(latencies && { latencyUs: percentilesOf(latencies), histogram: latencies.bins() }),
    })),
  }
}

/** For people: a line for each operation, then how the durable puts' latencies are distributed. */
function formatBench({ directory, domain, sealLevel, settings, figures, reopenMs }: BenchResult): string {
  const lines = [
    directory,
    `  domain ${domain}: a completed write survives ${domainMeanings[domain]}; seal level ${sealLevel}`,
    `  ${settings.keys} keys of 16 bytes, values of 100; a file of ${formatBytes(settings.capacityBytes)}, gone afterwards`,
    '',
    `  ${''.padEnd(32)}${'per second'.padStart(12)}${Object.keys(percents)
      .map((name) => name.padStart(10))
      .join('')}  µs`,
  ]
  for (const { operation, perSecond, latencies } of figures) {
    const values = latencies ? Object.values(percentilesOf(latencies)) : []
    lines.push(
      `  ${operation.padEnd(32)}${Math.round(perSecond).toLocaleString('en-US').padStart(12)}${values.map((us) => micros(us).padStart(10)).join('')}`,
    )
  }
  lines.push(`  ${'reopen, and a first get'.padEnd(32)}${`${reopenMs.toFixed(1)} ms`.padStart(12)}`)
  const puts = figures.find(({ operation }) => operation.endsWith('one at a time'))?.latencies
  if (puts) lines.push('', '  durable puts, one at a time: how many took how long (log scale)', ...drawn(puts))
  return `${lines.join('\n')}\n`
}

/** Bars on a log axis: the rare slow ones are what matters. */
function drawn(latencies: Latencies): string[] {
  return latencies.bins().map(({ fromUs, count }) => {
    const bar = count === 0 ? '' : '#'.repeat(1 + Math.floor(Math.log10(count) * 4))
    return `  ${`${micros(fromUs)} µs`.padStart(12)} ${count.toLocaleString('en-US').padStart(10)} ${bar}`
  })
}

function micros(us: number): string {
  return us >= 100 ? Math.round(us).toLocaleString('en-US') : us.toPrecision(3)
}

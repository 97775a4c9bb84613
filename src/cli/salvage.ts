import { isSealogError, salvage, type SalvageLoss, type SalvageOptions, type SalvageReport } from '../index.ts'
import { formatBytes, wrap } from './words.ts'

export interface SalvageCommandOptions extends Pick<SalvageOptions, 'keys' | 'encoding'> {
  readonly json: boolean
}

const columns = 100
/** More are in the JSON. */
const lossesShown = 40

/**
 * `sealog salvage PATH OUT`: prints what was copied and what was not.
 * @returns the exit code: 0 nothing is lost, 1 something is, 2 nothing could be done
 */
export async function runSalvage(path: string, out: string, options: SalvageCommandOptions): Promise<0 | 1 | 2> {
  const { json, ...rest } = options
  const abort = new AbortController()
  const stop = (): void => {
    abort.abort(new Error('interrupted'))
  }
  process.once('SIGINT', stop)
  try {
    const report = await salvage(path, out, { ...rest, signal: abort.signal, ...(json ? {} : { onProgress: tell }) })
    if (process.stderr.isTTY && !json) process.stderr.write('\r\x1b[K')
    process.stdout.write(json ? `${JSON.stringify(report, replacer, 2)}\n` : formatSalvage(report))
    return report.complete ? 0 : 1
  } catch (error) {
    if (!isSealogError(error) && !(error instanceof TypeError)) throw error
    process.stderr.write(`sealog: ${error.message.replace(/\s*\n\s*/g, ' ')}\n`)
    return 2
  } finally {
    process.removeListener('SIGINT', stop)
  }
}

function tell(done: number, total: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${Math.floor((100 * done) / Math.max(total, 1))} %`)
}

/** Keys that JSON has no form for. */
function replacer(_: string, value: unknown): unknown {
  return typeof value === 'symbol' || typeof value === 'bigint' ? String(value) : value
}

function formatSalvage(report: SalvageReport): string {
  const { entries, lost } = report
  const count = (n: number, what: string): string => `${n} ${n === 1 ? what.replace(/ies$/, 'y') : what}`
  const lines = [
    report.complete ? 'Nothing is lost.' : 'Some of it is lost.',
    '',
    `from        ${report.path}`,
    `to          ${report.out}`,
    `copied      ${count(entries.total, 'entries')}, ${formatBytes(report.bytes)}`,
    `            ${entries.byIndex} by the index, ${entries.fromTail} from the log's tail, ${entries.fromScan} from the log without an index`,
    `lost        ${count(lost.entries, 'entries')} that could be counted${lost.unknown ? ', perhaps more' : ''}`,
    `checkpoint  ${report.checkpoint ?? 'none'}`,
    '',
    ...report.notes.flatMap((note) => wrap(note, columns, '* ', '  ')),
    ...report.namespaces.map((name) => `* made the namespace '${name}' for entries whose namespace is lost`),
  ]
  if (lost.count > 0) {
    lines.push('', `Could not be used (${lost.count}):`)
    for (const loss of lost.list.slice(0, lossesShown)) lines.push(...wrap(formatLoss(loss), columns, '  ', '    '))
    if (lost.count > lossesShown) lines.push(`  and ${lost.count - lossesShown} more; --json lists the first 1000`)
  }
  return `${lines.join('\n')}\n`
}

function formatLoss(loss: SalvageLoss): string {
  const key =
    loss.keyHex === undefined
      ? ''
      : `, key ${typeof loss.key === 'string' ? JSON.stringify(loss.key) : `0x${loss.keyHex}`}`
  const space =
    loss.namespace === undefined
      ? ''
      : loss.namespace === null
        ? ", the store's own"
        : `, namespace '${loss.namespace}'`
  const lsns = loss.lsns === undefined ? '' : `, LSN ${loss.lsns[0]} to ${loss.lsns[1]}`
  return `${loss.what} at ${loss.where}${key}${space}${lsns}: ${loss.detail}`
}

import type { VerifyProblem, VerifyReport } from '../index.ts'
import { fail } from './fail.ts'
import { openForReading } from './open-any.ts'
import { Progress } from './progress.ts'
import { formatBytes } from './words.ts'

/**
 * `sealog verify PATH`: checks everything in a store, opened for reading.
 * @returns the exit code: 1 if something is wrong
 */
export async function runVerify(path: string, { json }: { readonly json: boolean }): Promise<0 | 1> {
  const progress = new Progress('verify')
  try {
    const store = openForReading(path)
    try {
      const report = await store.verify({ onProgress: progress.report })
      progress.stop()
      process.stdout.write(json ? `${JSON.stringify(plain(report), null, 2)}\n` : formatVerify(store.path, report))
      return report.ok ? 0 : 1
    } finally {
      store.close()
    }
  } catch (error) {
    progress.stop()
    return fail(error)
  }
}

/** Keys as JSON can have them. */
export function plain(report: VerifyReport): unknown {
  return {
    ...report,
    problems: report.problems.map((each) => ({ ...each, ...('key' in each && { key: showKey(each) }) })),
  }
}

export function formatVerify(path: string, report: VerifyReport): string {
  const { entries, nodes, records, bytes, durationMs, bytesPerSecond, problems, problemCount } = report
  const lines = [
    `${path}: ${report.ok ? 'all is well' : `${problemCount} ${problemCount === 1 ? 'problem' : 'problems'}`}`,
    `  ${entries} entries, ${nodes} nodes, ${records} records; ${formatBytes(bytes)} in ${(durationMs / 1000).toFixed(2)} s, ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`,
    ...problems.map(
      (each) => `  ${each.kind} at ${each.offset}${'key' in each ? `, key ${showKey(each)}` : ''}: ${each.detail}`,
    ),
  ]
  if (problemCount > problems.length) lines.push(`  and ${problemCount - problems.length} more`)
  return `${lines.join('\n')}\n`
}

function showKey({ key, namespace }: VerifyProblem): string {
  const text =
    key instanceof Uint8Array
      ? `0x${Buffer.from(key).toString('hex')}`
      : JSON.stringify(key, (_, part: unknown) => (typeof part === 'symbol' ? String(part) : part)) || String(key)
  return namespace === undefined ? text : `${text} of namespace '${namespace}'`
}

import { fail } from './fail.ts'
import { openForReading } from './open-any.ts'
import { Progress } from './progress.ts'
import { formatBytes } from './words.ts'

export interface BackupCommandOptions {
  readonly compact: boolean
  readonly json: boolean
}

/**
 * `sealog backup PATH OUT`: copies a store that nobody writes to; `-` is standard output.
 * @returns the exit code
 */
export async function runBackup(path: string, out: string, { compact, json }: BackupCommandOptions): Promise<0 | 1> {
  const progress = new Progress('backup')
  try {
    const store = openForReading(path)
    try {
      const target = out === '-' ? process.stdout : out
      const report = await store.backup(target, { compact, onProgress: progress.report })
      progress.stop()
      const { bytes, durationMs } = report
      const text = `${report.path ?? 'standard output'}: ${formatBytes(bytes)} in ${(durationMs / 1000).toFixed(2)} s`
      // Standard output may be the backup.
      const told = out === '-' ? process.stderr : process.stdout
      told.write(`${json ? JSON.stringify(report, null, 2) : text}\n`)
      return 0
    } finally {
      store.close()
    }
  } catch (error) {
    progress.stop()
    return fail(error)
  }
}

import { restore } from '../index.ts'
import { fail } from './fail.ts'
import { Progress } from './progress.ts'
import { formatVerify, plain } from './verify.ts'
import { formatBytes } from './words.ts'

export interface RestoreCommandOptions {
  readonly capacity: string | undefined
  readonly json: boolean
}

/**
 * `sealog restore BACKUP PATH`: makes a store from a backup, `-` for standard input, and reads all of it back.
 * @returns the exit code
 */
export async function runRestore(
  backup: string,
  path: string,
  { capacity, json }: RestoreCommandOptions,
): Promise<0 | 1> {
  const progress = new Progress('restore')
  try {
    const report = await restore(backup === '-' ? process.stdin : backup, path, {
      ...(capacity !== undefined && { capacity }),
      onProgress: progress.report,
    })
    progress.stop()
    const { capacityBytes, bytes, durationMs, verified } = report
    process.stdout.write(
      json
        ? `${JSON.stringify({ ...report, verified: plain(verified) }, null, 2)}\n`
        : `${formatVerify(report.path, verified)}  restored from ${formatBytes(bytes)} in ${(durationMs / 1000).toFixed(2)} s; capacity ${formatBytes(capacityBytes)}\n`,
    )
    return 0
  } catch (error) {
    progress.stop()
    return fail(error)
  }
}

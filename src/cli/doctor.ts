import { isSealogError } from '../index.ts'
import { diagnosePath } from './doctor-report.ts'
import { formatReport } from './doctor-text.ts'

export interface DoctorOptions {
  readonly json: boolean
  /** Of this package. */
  readonly version: string
}

/**
 * `sealog doctor PATH`: prints what the directory gives a store. A store that is there but cannot be read is an error too, told
 * after the report.
 * @returns the exit code
 */
export function runDoctor(path: string, { json, version }: DoctorOptions): 0 | 1 {
  try {
    const report = diagnosePath(path, version)
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report))
    if (report.store?.state !== 'refused') return 0
    process.stderr.write(`sealog: ${oneLine(report.store.message)}\n`)
  } catch (error) {
    if (!isSealogError(error) && !(error instanceof TypeError)) throw error
    process.stderr.write(`sealog: ${oneLine(error.message)}\n`)
  }
  return 1
}

function oneLine(message: string): string {
  return message.replace(/\s*\n\s*/g, ' ')
}

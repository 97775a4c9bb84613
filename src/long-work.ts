import { check, type Engine, type NativeResult } from './engine/engine.ts'
import { errorFromStatus } from './engine/status.ts'
import { SealogError } from './errors.ts'

/** What work that takes long takes: how far it is, and a way to stop it. */
export interface LongWorkOptions {
  /** Called now and then with bytes done and bytes in all, as far as that is known. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Stops it: the promise rejects with ERR_SEALOG_ABORTED, its cause the signal's reason. */
  readonly signal?: AbortSignal
}

/** @throws TypeError for an unknown option or one of another type */
export function checkLongWork(options: LongWorkOptions, others: readonly string[] = []): void {
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw new TypeError('Options must be an object')
  for (const name of Object.keys(given)) {
    if (!['onProgress', 'signal', ...others].includes(name)) throw new TypeError(`Unknown option '${name}'`)
  }
  const { onProgress, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new TypeError("Option 'onProgress' must be a function")
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal))
    throw new TypeError("Option 'signal' must be an AbortSignal")
}

/** @throws SealogError ERR_SEALOG_ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined, what: string, path: string): void {
  if (signal?.aborted !== true) return
  throw new SealogError('ERR_SEALOG_ABORTED', `${what} was aborted; nothing was left behind, try again at will`, {
    path,
    cause: signal.reason,
  })
}

/** The answer of work on another thread. @throws SealogError */
export async function finished(engine: Engine, started: Promise<NativeResult> | number, path: string): Promise<number> {
  if (typeof started === 'number') return check(engine, started, { path })
  const { answer, error } = await started
  if (answer >= 0) return answer
  throw errorFromStatus(-answer, error, { path })
}

import { check, type Engine, type NativeResult } from './engine/engine.ts'
import { errorFromStatus } from './engine/status.ts'
import { SealogError } from './errors.ts'
import { checkSignal } from './write-options.ts'

const progressMs = 50

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
  checkSignal(signal)
}

const nothingLeft = 'nothing was left behind, try again at will'

/** @param state that things are in */
export function aborted(signal: AbortSignal | undefined, what: string, path: string, state = nothingLeft): SealogError {
  return new SealogError('ERR_SEALOG_ABORTED', `${what} was aborted; ${state}`, { path, cause: signal?.reason })
}

/** @throws SealogError ERR_SEALOG_ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined, what: string, path: string, state?: string): void {
  if (signal?.aborted === true) throw aborted(signal, what, path, state)
}

/** Runs `work`; meanwhile calls `tell`, if there is one, now and then, and `stop` when the signal is aborted. */
export async function runLong<T>(
  tell: (() => void) | undefined,
  signal: AbortSignal | undefined,
  stop: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const timer = tell && setInterval(tell, progressMs)
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await work()
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
  }
}

/** What is shared with native work on another thread: how far it is, and whether it is to stop. */
export class NativeProgress {
  readonly numbers = new BigInt64Array(3)

  get done(): number {
    return Number(this.numbers[0])
  }

  get total(): number {
    return Number(this.numbers[1])
  }

  readonly stop = (): void => {
    this.numbers[2] = 1n
  }

  /** What tells `onProgress` of it. */
  teller(onProgress: LongWorkOptions['onProgress']): (() => void) | undefined {
    return (
      onProgress &&
      (() => {
        onProgress(this.done, this.total)
      })
    )
  }
}

/** Work that is done one after another, in the order in which it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }
}

/** The answer of work on another thread. @throws SealogError */
export async function finished(engine: Engine, started: Promise<NativeResult> | number, path: string): Promise<number> {
  if (typeof started === 'number') return check(engine, started, { path })
  const { answer, error } = await started
  if (answer >= 0) return answer
  throw errorFromStatus(-answer, error, { path })
}

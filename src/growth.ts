import { growthError } from './engine/growth-error.ts'
import { Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import type { NativeSession } from './native-session.ts'

/** To watch, and stop, a store that grows. */
export interface GrowOptions {
  /** Called as the new part is written, with bytes done and bytes in all, of that part. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Aborts it: the store keeps its old size and the promise rejects with ERR_SEALOG_ABORTED. */
  readonly signal?: AbortSignal
}

const progressMs = 50

/** The growth of one store: one after another, in the order in which it was asked for. */
export class Growth {
  readonly #session: NativeSession
  #last: Promise<unknown> = Promise.resolve()

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** Resolves with the store's size in bytes. */
  grow(capacityBytes: number, options: GrowOptions): Promise<number> {
    const grown = this.#last.then(() => this.#grow(capacityBytes, options))
    this.#last = grown.catch(() => undefined)
    return grown
  }

  async #grow(capacityBytes: number, { onProgress, signal }: GrowOptions): Promise<number> {
    const session = this.#session
    const { engine, handle, path } = session
    session.assertOpen()
    if (signal?.aborted) throw aborted(path, signal.reason)
    const before = session.regionBytes()
    if (capacityBytes < before) {
      throw new RangeError(`The store has ${before} bytes and cannot shrink to ${capacityBytes}`)
    }

    const progress = new BigInt64Array(3)
    const report = (): void => onProgress?.(Number(progress[0]), Number(progress[1]))
    const abort = (): void => {
      progress[2] = 1n
    }
    const timer = onProgress ? setInterval(report, progressMs) : undefined
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const begun = engine.growStore(handle, capacityBytes, progress)
      if (typeof begun === 'number') throw session.failure(begun)
      const { answer, error } = await begun
      if (answer === -Status.Aborted && !session.closed) throw aborted(path, signal?.reason)
      if (answer < 0) throw session.closed ? session.failure(-Status.Closed) : growthError(-answer, error, path, before)
      if (progress[1] !== 0n) report()
      return session.closed ? capacityBytes : session.regionBytes()
    } finally {
      clearInterval(timer)
      signal?.removeEventListener('abort', abort)
    }
  }
}

function aborted(path: string, cause: unknown): SealogError {
  const message = `Growing the store was aborted (${path}); it has the size from before, try again at will`
  return new SealogError('ERR_SEALOG_ABORTED', message, { path, cause })
}

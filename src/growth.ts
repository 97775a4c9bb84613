import { growthError } from './engine/growth-error.ts'
import { Status } from './engine/status.ts'
import { aborted, NativeProgress, runLong, throwIfAborted, Turns } from './long-work.ts'
import type { NativeSession } from './native-session.ts'

/** To watch, and stop, a store that grows. */
export interface GrowOptions {
  /** Called as the new part is written, with bytes done and bytes in all, of that part. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Aborts it: the store keeps its old size and the promise rejects with ERR_SEALOG_ABORTED. */
  readonly signal?: AbortSignal
}

const oldSize = 'it has the size from before, try again at will'

/** The growth of one store: one after another, in the order in which it was asked for. */
export class Growth {
  readonly #session: NativeSession
  readonly #turns = new Turns()

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** Resolves with the store's size in bytes. */
  grow(capacityBytes: number, options: GrowOptions): Promise<number> {
    return this.#turns.take(() => this.#grow(capacityBytes, options))
  }

  async #grow(capacityBytes: number, { onProgress, signal }: GrowOptions): Promise<number> {
    const session = this.#session
    const { engine, handle, path } = session
    session.assertOpen()
    const what = `Growing the store (${path})`
    throwIfAborted(signal, what, path, oldSize)
    const before = session.regionBytes()
    if (capacityBytes < before) {
      throw new RangeError(`The store has ${before} bytes and cannot shrink to ${capacityBytes}`)
    }

    const progress = new NativeProgress()
    const tell = progress.teller(onProgress)
    return await runLong(tell, signal, progress.stop, async () => {
      const begun = engine.growStore(handle, capacityBytes, progress.numbers)
      if (typeof begun === 'number') throw session.failure(begun)
      const { answer, error } = await begun
      if (answer === -Status.Aborted && !session.closed) throw aborted(signal, what, path, oldSize)
      if (answer < 0) session.noticePoison()
      if (answer < 0) throw session.closed ? session.failure(-Status.Closed) : growthError(-answer, error, path, before)
      if (progress.total !== 0) tell?.()
      return session.closed ? capacityBytes : session.regionBytes()
    })
  }
}

import { isSealogError } from './errors.ts'
import { checkLongWork, finished, runLong, throwIfAborted, Turns } from './long-work.ts'
import type { NativeSession } from './native-session.ts'
import { readStats } from './stats.ts'

export interface CompactOptions {
  /** Called now and then, with the bytes of records that were moved and the segments that are free or about to be. */
  readonly onProgress?: (movedBytes: number, freeSegments: number) => void
  /** Once it is aborted, compacting stops and rejects with ERR_SEALOG_ABORTED; what was done stays done. */
  readonly signal?: AbortSignal
}

export interface CompactReport {
  /** Of records that were moved. */
  readonly movedBytes: number
  readonly freeSegmentsBefore: number
  readonly freeSegmentsAfter: number
  readonly durationMs: number
}

/** Runs the cleaner over the whole log, one run at a time. */
export class Compaction {
  readonly #session: NativeSession
  readonly #turns = new Turns()

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** @throws SealogError (rejects) ERR_SEALOG_ABORTED, ERR_SEALOG_UNSUPPORTED, ERR_SEALOG_CLOSED, as a put */
  run(options: CompactOptions): Promise<CompactReport> {
    checkLongWork(options)
    return this.#turns.take(() => this.#run(options))
  }

  async #run({ onProgress, signal }: CompactOptions): Promise<CompactReport> {
    const session = this.#session
    const { engine, handle, path } = session
    const assertGoingOn = (): void => {
      session.assertOpen()
      throwIfAborted(signal, 'Compacting', path, 'what it has moved stays moved')
    }
    assertGoingOn()
    const startedMs = performance.now()
    const before = this.#figures()
    const tell =
      onProgress &&
      (() => {
        if (session.closed) return
        const { moved, free } = this.#figures()
        onProgress(moved - before.moved, free)
      })
    const stop = (): void => {
      if (!session.closed) engine.stopCompacting(handle)
    }
    try {
      await runLong(tell, signal, stop, () => finished(engine, engine.compact(handle), path))
    } catch (error) {
      session.noticePoison()
      if (isSealogError(error, 'ERR_SEALOG_ABORTED')) assertGoingOn()
      throw error
    }
    session.assertOpen()
    const after = this.#figures()
    tell?.()
    return {
      movedBytes: after.moved - before.moved,
      freeSegmentsBefore: before.free,
      freeSegmentsAfter: after.free,
      durationMs: performance.now() - startedMs,
    }
  }

  #figures(): { readonly moved: number; readonly free: number } {
    const stats = readStats(this.#session.engine, this.#session.handle)
    return { moved: stats?.cleaning.movedBytes ?? 0, free: (stats?.space.free ?? 0) + (stats?.space.retired ?? 0) }
  }
}

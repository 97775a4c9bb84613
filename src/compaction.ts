import { check } from './engine/engine.ts'
import { Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import type { NativeSession } from './native-session.ts'
import { readStats } from './stats.ts'
import { checkSignal } from './write-options.ts'

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

const progressMs = 50

/** Runs the cleaner over the whole log, one run at a time. */
export class Compaction {
  readonly #session: NativeSession
  #last: Promise<unknown> = Promise.resolve()

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** @throws SealogError (rejects) ERR_SEALOG_ABORTED, ERR_SEALOG_UNSUPPORTED, ERR_SEALOG_CLOSED, as a put */
  run(options: CompactOptions): Promise<CompactReport> {
    const { onProgress, signal } = options
    checkSignal(signal)
    if (onProgress !== undefined && typeof onProgress !== 'function')
      throw new TypeError("Option 'onProgress' must be a function")
    const run = this.#last.then(() => this.#run(onProgress, signal))
    this.#last = run.catch(() => undefined)
    return run
  }

  async #run(onProgress: CompactOptions['onProgress'], signal: AbortSignal | undefined): Promise<CompactReport> {
    const session = this.#session
    const { engine, handle, path } = session
    session.assertOpen()
    this.#assertNotAborted(signal)
    const startedMs = performance.now()
    const before = this.#figures()
    const stop = (): void => {
      if (!session.closed) engine.stopCompacting(handle)
    }
    const timer =
      onProgress &&
      setInterval(() => {
        this.#tell(onProgress, before.moved)
      }, progressMs)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      const answer = await new Promise<number>((resolve) => {
        const begun = engine.compact(handle, resolve)
        if (begun < 0) resolve(begun)
      })
      if (answer === -Status.Aborted) {
        session.assertOpen()
        this.#assertNotAborted(signal)
      }
      check(engine, answer, { path })
    } finally {
      clearInterval(timer)
      signal?.removeEventListener('abort', stop)
    }
    session.assertOpen()
    const after = this.#figures()
    if (onProgress) this.#tell(onProgress, before.moved)
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

  #tell(onProgress: NonNullable<CompactOptions['onProgress']>, before: number): void {
    if (this.#session.closed) return
    const { moved, free } = this.#figures()
    onProgress(moved - before, free)
  }

  #assertNotAborted(signal: AbortSignal | undefined): void {
    if (!signal?.aborted) return
    throw new SealogError('ERR_SEALOG_ABORTED', 'Compacting was aborted; what it has moved stays moved', {
      path: this.#session.path,
      cause: signal.reason,
    })
  }
}

import { performance } from 'node:perf_hooks'
import { PackedBatch } from './batch.ts'
import type { Catalogue } from './catalogue.ts'
import { runBatch } from './run-batch.ts'
import { commitsWanted } from './diagnostics.ts'
import { Meta } from './engine/buffers.ts'
import { KeyCodecCode, RangeFlag, WriteFlag } from './engine/engine.ts'
import type { GroupCommit } from './group-commit.ts'
import { headOf } from './keyspace.ts'
import type { NativeSession } from './native-session.ts'

/** Entries of one slice: about a millisecond. */
const sliceEntries = 256
const firstLookMs = 50
const longestWaitMs = 60_000

/**
 * Removes in the background, a slice at a time, what nobody can see any more: expired entries, and the keys of namespaces that were
 * cleared or dropped. Interrupted by a crash it goes on at the next open.
 *
 * An entry is removed once it has expired by the wall clock and by the time that has passed since open as well, so a clock that jumps
 * ahead while the store is open hides entries and removes none.
 */
export class Janitor {
  readonly #session: NativeSession
  readonly #commits: GroupCommit
  readonly #catalogue: Catalogue
  readonly #openedAtMs = Date.now() - performance.now()
  #timer: NodeJS.Timeout | undefined
  #dueMs = Infinity
  #stopped = false

  constructor(session: NativeSession, commits: GroupCommit, catalogue: Catalogue) {
    this.#session = session
    this.#commits = commits
    this.#catalogue = catalogue
  }

  /** For a store that may be written: looks for what the last session left. */
  start(): void {
    this.lookAt(Date.now() + firstLookMs)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** There will be something to remove at this time. */
  lookAt(unixMs: number): void {
    if (this.#stopped || unixMs >= this.#dueMs) return
    this.#dueMs = unixMs
    clearTimeout(this.#timer)
    // Weakly: a store that nobody has any more is to be collected, and closed.
    const self = new WeakRef(this)
    const waitMs = Math.min(Math.max(unixMs - Date.now(), 1), longestWaitMs)
    this.#timer = setTimeout(() => {
      self.deref()?.work()
    }, waitMs)
    this.#timer.unref()
  }

  /** One slice. */
  work(): void {
    this.#dueMs = Infinity
    if (this.#session.closed) return
    try {
      const next = this.#removeGarbage() ?? this.#sweep()
      if (next !== undefined) this.lookAt(next)
    } catch {
      // Full, poisoned, damaged: whoever reads or writes is told. Tried again later.
      this.lookAt(Date.now() + longestWaitMs)
    }
  }

  /** @returns when to go on, if there is garbage */
  #removeGarbage(): number | undefined {
    const id = this.#catalogue.garbage()
    if (id === undefined) return undefined
    const { engine, handle, write, meta } = this.#session
    const low = headOf(id)
    const high = headOf(id + 1)
    write.set(low, 0)
    write.set(high, low.length)
    const flags = RangeFlag.HasHigh | WriteFlag.Deferred
    // Any code of keys: they are bytes here.
    const space = 4 * id + KeyCodecCode.binary
    const answer = engine.eraseRange(handle, low.length, high.length, flags, sliceEntries, space)
    if (answer < 0) throw this.#session.failure(answer)
    this.#count(answer)
    if (meta[Meta.RemovedMore] === 0) {
      const batch = new PackedBatch()
      this.#catalogue.forget(batch, id)
      runBatch(this.#session, batch, WriteFlag.Deferred)
    }
    this.#commit()
    return Date.now()
  }

  /** @returns when something expires next, if anything does */
  #sweep(): number | undefined {
    const { engine, handle, meta } = this.#session
    const now = Math.floor(Math.min(Date.now(), this.#openedAtMs + performance.now()))
    const answer = engine.sweep(handle, now, sliceEntries, WriteFlag.Deferred)
    if (answer < 0) throw this.#session.failure(answer)
    this.#count(answer)
    const next = meta[Meta.NextExpiry] ?? 0
    if (meta[Meta.LookedAt] !== 0) this.#commit()
    // Not sooner than in a while where only the wall clock says that it has expired.
    return next === 0 ? undefined : meta[Meta.RemovedMore] === 1 ? Date.now() : Math.max(next, Date.now() + firstLookMs)
  }

  /** For whoever listens. */
  #count(operations: number): void {
    if (operations > 0 && commitsWanted()) this.#commits.count({ operations, bytes: 0 })
  }

  #commit(): void {
    this.#commits.join().catch(() => undefined)
  }
}

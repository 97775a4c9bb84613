import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers'
import { commitsWanted, tellingCommit } from './diagnostics.ts'
import type { NativeSession } from './native-session.ts'
import type { Tally } from './telling.ts'

/** A turn of the event loop in which commits follow each other ends after this. */
const turnMs = 1

interface Group {
  readonly promise: Promise<void>
  resolve(): void
  reject(error: unknown): void
}

function newGroup(): Group {
  let resolve!: () => void
  let reject!: (error: unknown) => void
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/**
 * Group commit: all that is written with a promise in one turn of the event loop becomes durable together, and shares one promise.
 * Where a fence is enough that happens at the end of the turn; where the device must be waited for, on another thread, and what is
 * written meanwhile makes the next group (DeWitt et al., SIGMOD 1984).
 *
 * Callers that write again as soon as they are answered are answered within the same turn, for a millisecond: then timers and sockets
 * have theirs.
 */
export class GroupCommit {
  readonly #session: NativeSession
  #gathering: Group | undefined
  #inFlight: Group | undefined
  /** When a commit has last begun a turn, by the clock of performance. */
  #turnAt = -Infinity
  /** What was written since the last commit began, and what that takes: while somebody listens. */
  #written: Tally | undefined
  #committing: { readonly tally: Tally; readonly startedMs: number } | undefined

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** Resolves when everything written so far is durable. */
  join(): Promise<void> {
    if (this.#gathering === undefined) {
      this.#gathering = newGroup()
      if (this.#inFlight === undefined) this.#commitSoon()
    }
    return this.#gathering.promise
  }

  /** For whoever listens: something was written that the next commit makes durable. A subscriber's own does not count. */
  count({ operations, bytes }: Tally): void {
    if (tellingCommit()) return
    this.#written ??= { operations: 0, bytes: 0 }
    this.#written.operations += operations
    this.#written.bytes += bytes
  }

  /** The store was closed: what was gathered is durable, or `error` says why not. */
  close(error?: unknown): void {
    const group = this.#gathering
    this.#gathering = undefined
    if (group) this.#end(group, error)
  }

  /** For whoever listens: `close` begins, which makes durable what was written. @returns what tells of it once it is */
  closing(): () => void {
    const committing = this.#beginTelling()
    return () => {
      if (committing) this.#tell(committing)
    }
  }

  #commitSoon(): void {
    if (performance.now() - this.#turnAt < turnMs) queueMicrotask(this.#commit)
    else setImmediate(this.#nextTurn)
  }

  readonly #nextTurn = (): void => {
    this.#turnAt = performance.now()
    this.#commit()
  }

  readonly #commit = (): void => {
    const group = this.#gathering
    if (group === undefined) return
    this.#gathering = undefined
    this.#inFlight = group
    this.#committing = this.#beginTelling()
    const { engine, handle } = this.#session
    const answer = engine.commitAsync(handle, this.#committed)
    if (answer !== 0) this.#committed(answer)
  }

  readonly #committed = (answer: number): void => {
    const group = this.#inFlight
    this.#inFlight = undefined
    if (group) this.#end(group, answer >= 0 ? undefined : this.#session.failure(answer))
    if (this.#gathering !== undefined) this.#commitSoon()
    const committing = this.#committing
    this.#committing = undefined
    if (committing && answer >= 0) this.#tell(committing)
  }

  #beginTelling(): { readonly tally: Tally; readonly startedMs: number } | undefined {
    const tally = this.#written
    this.#written = undefined
    return tally && commitsWanted() ? { tally, startedMs: performance.now() } : undefined
  }

  #tell({ tally, startedMs }: { readonly tally: Tally; readonly startedMs: number }): void {
    const { telling } = this.#session
    if (tally.operations > 0)
      telling.committed(this.#session, 'group', { tally, durationMs: performance.now() - startedMs })
  }

  #end(group: Group, error: unknown): void {
    if (error === undefined) group.resolve()
    else group.reject(error)
  }
}

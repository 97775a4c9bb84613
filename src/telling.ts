import { performance } from 'node:perf_hooks'
import {
  checkpointChannel,
  type CheckpointMessage,
  commitChannel,
  type CommitKind,
  type CommitMessage,
  poisonChannel,
  type PoisonMessage,
  publish,
} from './diagnostics.ts'
import type { Engine, Handle } from './engine/engine.ts'
import { statNames } from './engine/stats.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import type { SealogError } from './errors.ts'

/** Between two looks for checkpoints. */
const lookMs = 100

/** What was written: puts and removes, and bytes of their keys and values. */
export interface Tally {
  operations: number
  bytes: number
}

/** A commit as it is told: what was written, and how long the engine took for it. */
export interface Told {
  readonly tally: Tally
  readonly durationMs: number
}

/** A handle of the store: a NativeSession. */
interface Session {
  readonly engine: Engine
  readonly handle: Handle
  readonly path: string
  readonly closed: boolean
}

/** Of checkpoints since the store was opened. */
interface Checkpoints {
  readonly count: number
  readonly ms: number
  readonly bytes: number
}

const none: Checkpoints = { count: 0, ms: 0, bytes: 0 }
const at = (name: (typeof statNames)[number]): number => statNames.indexOf(name)
const places = {
  count: at('checkpoints'),
  ms: at('checkpointMs'),
  bytes: at('checkpointBytes'),
  sequence: at('checkpointSequence'),
  due: at('checkpointDue'),
}

/**
 * What one thread tells of one open store, whichever of its handles has noticed. Made when somebody listens, not before.
 *
 * Checkpoints are taken behind JavaScript's back. They are looked for after commits, at most every 0.1 s, and by a timer for as long as
 * something is in none yet.
 */
export class Telling {
  #poisonTold = false
  #told: Checkpoints | undefined
  #lookedAtMs = -Infinity
  #timer: NodeJS.Timeout | undefined
  /** That has committed last; weakly, so that it may be collected, and closed. */
  #looker: WeakRef<Session> | undefined

  /** A handle was opened. @param shared checkpoints from before are not told */
  opened(session: Session, shared: boolean): void {
    if (!shared) this.#told ??= none
    this.#lookSoon(session)
  }

  /** REQUIRES: the call that has committed is over, so that subscribers may write. */
  committed(session: Session, kind: CommitKind, { tally: { operations, bytes }, durationMs }: Told): void {
    if (commitChannel.hasSubscribers) {
      publish(commitChannel, { path: session.path, kind, operations, bytes, durationMs } satisfies CommitMessage)
    }
    if (!checkpointChannel.hasSubscribers || session.closed) return
    if (performance.now() - this.#lookedAtMs >= lookMs) this.#look(session)
    else this.#lookSoon(session)
  }

  /** A handle is about to be closed. @returns where native is to put the last figures */
  closing(session: Session): Float64Array {
    if (this.#told === undefined) this.#look(session)
    return new Float64Array(statNames.length)
  }

  closed(session: Session, figures: Float64Array): void {
    this.#tellCheckpoints(session.path, figures)
  }

  /** A call of this handle was refused, perhaps for that reason. */
  lookForPoison(session: Session): boolean {
    const details = session.engine.storeFailure(session.handle)
    if (typeof details === 'number' || details.status === Status.Ok) return false
    const context = { path: session.path }
    const cause = errorFromStatus(details.status, details, context)
    this.#poisoned(errorFromStatus(Status.Poisoned, null, { ...context, cause }))
    return true
  }

  /** Closing the last handle has failed: what was written last is not durable. */
  notClosed(error: SealogError): void {
    const { code, path } = error
    if (code === 'ERR_SEALOG_CLOSED' || code === 'ERR_SEALOG_FORKED') return
    this.#poisoned(
      code === 'ERR_SEALOG_POISONED' ? error : errorFromStatus(Status.Poisoned, null, { path, cause: error }),
    )
  }

  #poisoned(error: SealogError): void {
    if (this.#poisonTold || !poisonChannel.hasSubscribers) return
    const message: PoisonMessage = { path: error.path ?? '', error }
    this.#poisonTold = publish(poisonChannel, message)
  }

  #lookSoon(session: Session): void {
    if (this.#looker?.deref() !== session) this.#looker = new WeakRef(session)
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const looker = this.#looker?.deref()
      if (looker && !looker.closed && checkpointChannel.hasSubscribers) this.#look(looker)
    }, lookMs).unref()
  }

  #look(session: Session): void {
    this.#lookedAtMs = performance.now()
    const figures = new Float64Array(statNames.length)
    if (session.engine.storeStats(session.handle, figures) < 0) return
    this.#tellCheckpoints(session.path, figures)
    // After that no checkpoint comes any more.
    if (session.closed || this.lookForPoison(session)) return
    if (figures[places.due] === 1) this.#lookSoon(session)
  }

  #tellCheckpoints(path: string, figures: Float64Array): void {
    const of = (name: keyof typeof places): number => figures[places[name]] ?? 0
    const now: Checkpoints = { count: of('count'), ms: of('ms'), bytes: of('bytes') }
    this.#told ??= now
    const { count, ms, bytes } = this.#told
    if (now.count === count) return
    const told = publish(checkpointChannel, {
      path,
      sequence: of('sequence'),
      count: now.count - count,
      durationMs: now.ms - ms,
      bytes: now.bytes - bytes,
    } satisfies CheckpointMessage)
    if (told) this.#told = now
  }
}

const tellings = new Map<string, WeakRef<Telling>>()
const gone = new FinalizationRegistry<string>((store) => {
  if (tellings.get(store)?.deref() === undefined) tellings.delete(store)
})

/** The one of this thread for the store that was opened at `path` at this time. */
export function tellingOf(path: string, openedAtMs: number): Telling {
  const store = `${openedAtMs} ${path}`
  const known = tellings.get(store)?.deref()
  if (known !== undefined) return known
  const telling = new Telling()
  tellings.set(store, new WeakRef(telling))
  gone.register(telling, store)
  return telling
}

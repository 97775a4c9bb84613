import type { Engine, LockHolder } from '../engine/engine.ts'
import { SealogError } from '../errors.ts'

const longestPauseMs = 16
// A reader process has its lock while it replays a log, as in each refresh without a writer. A writer that comes in that moment is not
// to be refused, also without waitMs; one that keeps it longer (salvage) is as a writer's.
const readersMs = 250

/** `report` of ERR_SEALOG_LOCKED where another process has the store. */
export interface LockReport {
  /** null: it cannot be found from here. */
  readonly holder: LockHolder | null
}

/** How long an opener comes again while it finds a store locked, and when. */
export class LockPatience {
  readonly #begunMs = performance.now()
  readonly #waitMs: number
  #pauseMs = 1

  /** @param waitMs from now on */
  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  /** Whether that which is in the way has been waited for long enough. */
  isOver(obstacle: 'locked' | 'being read'): boolean {
    const waitMs = obstacle === 'locked' ? this.#waitMs : Math.max(this.#waitMs, readersMs)
    return performance.now() >= this.#begunMs + waitMs
  }

  /** Milliseconds to wait before the next attempt: short at first. */
  pause(): number {
    const pause = this.#pauseMs
    this.#pauseMs = Math.min(2 * pause, longestPauseMs)
    return pause
  }

  /** Blocks the thread for that time. */
  sleep(): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.pause())
  }
}

/** ERR_SEALOG_LOCKED that names who has the store at `path`. */
export function lockedError(engine: Pick<Engine, 'lockHolder'>, path: string): SealogError {
  const holder = engine.lockHolder(path)
  const what =
    holder === null
      ? 'a process that cannot be seen from here (of another user, or in another PID namespace)'
      : `process ${holder.pid}${holder.command === '' ? '' : ` (${holder.command})`}, for ${holder.exclusive ? 'writing' : 'reading'}`
  const report: LockReport = { holder }
  return new SealogError(
    'ERR_SEALOG_LOCKED',
    `The store is open elsewhere (${path}): by ${what}; close it there, wait until that ends, or let open wait for it with the option waitMs`,
    { path, report },
  )
}

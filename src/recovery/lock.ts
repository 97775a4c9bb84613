import type { Engine, LockHolder } from '../engine/engine.ts'
import { SealogError } from '../errors.ts'

const longestPauseMs = 16

/** `report` of ERR_SEALOG_LOCKED where another process has the store. */
export interface LockReport {
  /** null: it cannot be found from here. */
  readonly holder: LockHolder | null
}

/** How long an opener comes again while it finds a store locked, and when. */
export class LockPatience {
  readonly #untilMs: number
  #pauseMs = 1

  /** @param waitMs from now on */
  constructor(waitMs: number) {
    this.#untilMs = performance.now() + waitMs
  }

  get over(): boolean {
    return performance.now() >= this.#untilMs
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

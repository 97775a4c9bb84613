import { Meta } from './engine/buffers.ts'
import { check } from './engine/engine.ts'
import { SealogError } from './errors.ts'
import type { NativeSession } from './native-session.ts'
import type { StateRef } from './state-ref.ts'

/** A snapshot that native keeps, until it is released. */
export class SnapshotRef implements StateRef {
  readonly session: NativeSession
  /** Of the last commit that it has. */
  readonly version: number
  #id: number

  /** O(1). @throws SealogError ERR_SEALOG_CLOSED */
  constructor(session: NativeSession) {
    session.assertOpen()
    this.session = session
    this.#id = check(session.engine, session.engine.openSnapshot(session.handle), { path: session.path })
    this.version = session.meta[Meta.Version] ?? 0
  }

  get released(): boolean {
    return this.#id === 0
  }

  /** @throws SealogError ERR_SEALOG_CLOSED once it is released */
  get id(): number {
    if (this.#id !== 0) return this.#id
    throw new SealogError('ERR_SEALOG_CLOSED', 'The snapshot was released; take another one', {
      path: this.session.path,
    })
  }

  release(): void {
    const id = this.#id
    this.#id = 0
    if (id !== 0 && !this.session.closed) this.session.engine.releaseSnapshot(this.session.handle, id)
  }
}

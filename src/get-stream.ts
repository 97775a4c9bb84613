import { Readable } from 'node:stream'
import { Meta } from './engine/buffers.ts'
import { Status } from './engine/status.ts'
import type { Keyspace } from './keyspace.ts'
import type { StateRef } from './state-ref.ts'

/** A state that belongs to one reader, who lets go of it. */
export interface OwnState extends StateRef {
  release(): void
}

const forgotten = new FinalizationRegistry<OwnState>((state) => {
  state.release()
})

/**
 * The stored bytes of a value as a stream, piece by piece, each verified before it is handed out: {@link ReadView.getStream}.
 * @param state released when the stream ends, is destroyed or forgotten; also if there is no such key
 */
export function getStream(keyspace: Keyspace, key: unknown, state: OwnState): Readable | undefined {
  const reader = new PartReader(keyspace, key, state)
  let found = false
  try {
    found = reader.look()
  } finally {
    if (!found) state.release()
  }
  if (!found) return undefined
  let turn: NodeJS.Immediate | undefined
  const stream = new Readable({
    highWaterMark: reader.nextBytes,
    // One piece in a turn of the event loop: a reader that never waits holds up nobody.
    read() {
      turn = setImmediate(() => {
        try {
          this.push(reader.read())
        } catch (error) {
          this.destroy(error as Error)
        }
      })
    },
    destroy(error, done) {
      clearImmediate(turn)
      forgotten.unregister(state)
      state.release()
      done(error)
    },
  })
  forgotten.register(stream, state, state)
  return stream
}

class PartReader {
  readonly #keyspace: Keyspace
  readonly #key: unknown
  readonly #state: StateRef
  #offset = 0
  /** Of the whole value. */
  #valueBytes = 0
  /** Of the piece to be read next. */
  nextBytes = 0

  constructor(keyspace: Keyspace, key: unknown, state: StateRef) {
    // As they are now: the namespace may be cleared, and the caller's key may change.
    this.#keyspace = keyspace.at(keyspace.id)
    this.#key = keyspace.decodeWhole(keyspace.encodeWhole(key))
    this.#state = state
  }

  /** Whether there is an entry; how long it is. */
  look(): boolean {
    const answer = this.#part(Buffer.alloc(0))
    if (answer === -Status.NotFound) return false
    if (answer < 0 && answer !== -Status.ValueOutside) throw this.#keyspace.session.failure(answer)
    return true
  }

  /** The next piece; null at the end. */
  read(): Buffer | null {
    const { session } = this.#keyspace
    session.assertOpen()
    if (this.#offset >= this.#valueBytes) return null
    const piece = Buffer.allocUnsafeSlow(this.nextBytes)
    const answer = this.#part(piece)
    if (answer < 0) throw session.failure(answer)
    this.#offset += answer
    return piece
  }

  #part(target: Buffer): number {
    const { session, code } = this.#keyspace
    const { engine, handle, meta } = session
    const answer = this.#keyspace.withKey(this.#key, (k) =>
      engine.getPart(handle, k, target, code, this.#state.id, this.#offset),
    )
    if (answer < 0 && answer !== -Status.ValueOutside) return answer
    this.#valueBytes = meta[Meta.ValueBytes] ?? 0
    this.nextBytes = meta[Meta.NextBytes] ?? 0
    return answer
  }
}

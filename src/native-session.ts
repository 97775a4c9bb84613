import { keyAreaBytes, Meta, metaNumbers, readBufferBytes, viewOf, writeBufferBytes } from './engine/buffers.ts'
import { check, type Engine, type Handle, type KeyArgument } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import type { SealogError } from './errors.ts'
import { keyCodec, type KeyCodec } from './codec/keys.ts'
import type { KeyEncoding } from './options.ts'

/** A value is copied out of the read buffer only up to this size; a larger one gets a buffer of its own. */
const pooledBytesMax = readBufferBytes / 4

/**
 * A handle with its agreed buffers: how keys go in, how values come out, and what an answer `< 0` becomes. Everything above speaks
 * to native through this.
 */
export class NativeSession {
  readonly engine: Engine
  readonly handle: Handle
  readonly path: string
  readonly keys: KeyCodec
  /** [0, keyAreaBytes): encoded keys. Behind: a value on its way in. */
  readonly write: Buffer
  readonly meta: Float64Array
  /** Values on their way out are put at `#at`: what is before has been handed out and belongs to others. */
  #read: Buffer
  #at = 0
  #closed = false

  /** @throws SealogError if native refuses the buffers */
  constructor(engine: Engine, handle: Handle, path: string, keys: KeyEncoding) {
    this.engine = engine
    this.handle = handle
    this.path = path
    this.keys = keyCodec(keys)
    this.write = Buffer.allocUnsafeSlow(writeBufferBytes)
    this.meta = new Float64Array(metaNumbers)
    this.#read = Buffer.allocUnsafeSlow(readBufferBytes)
    check(engine, engine.setBuffers(handle, this.write, this.#read, this.meta), { path })
  }

  get closed(): boolean {
    return this.#closed
  }

  markClosed(): void {
    this.#closed = true
  }

  /** @throws SealogError ERR_SEALOG_CLOSED */
  assertOpen(): void {
    if (this.#closed) throw errorFromStatus(Status.Closed, null, { path: this.path })
  }

  /**
   * Makes a call with a key: as a string where native can take it, else encoded at the front of the write buffer.
   * @throws TypeError, SealogError ERR_SEALOG_KEY_TOO_LARGE for what is no key
   */
  withKey(key: unknown, call: (key: KeyArgument) => number): number {
    if (typeof key === 'string' && this.keys.takesStrings) {
      const answer = call(key)
      if (answer !== -Status.KeyNeedsEncoding) return answer
    }
    return call(this.keys.encodeKey(key, this.write, 0))
  }

  /** The error for an answer `< 0` of a hot call. */
  failure(answer: number): SealogError {
    const context = { path: this.path }
    if (this.#closed || answer === -Status.Closed) return errorFromStatus(Status.Closed, null, context)
    const details = this.engine.storeFailure(this.handle)
    if (typeof details === 'number') return errorFromStatus(-answer, null, context)
    if (answer === -Status.Poisoned && details.status !== Status.Ok) {
      return errorFromStatus(Status.Poisoned, null, {
        ...context,
        cause: errorFromStatus(details.status, details, context),
      })
    }
    const here = { ...details, status: -answer, detail: '', syscall: '', errno: 0 }
    return errorFromStatus(-answer, here, context)
  }

  /**
   * Reads a value. `take` gets the buffer it is in and its bounds; what it returns must not share that memory, unless it keeps them
   * by {@link keepRead}.
   * @returns undefined if the key is absent
   */
  read<T>(key: unknown, withVersion: boolean, take: (buffer: Buffer, start: number, end: number) => T): T | undefined {
    const { engine, handle } = this
    let answer = this.withKey(key, (k) =>
      withVersion ? engine.getEntry(handle, k, this.#at) : engine.get(handle, k, this.#at),
    )
    if (answer >= 0) return take(this.#read, this.#at, this.#at + answer)
    if (answer === -Status.NotFound) return undefined
    // It did not fit: a buffer of its own, as long as another writer makes it longer meanwhile.
    while (answer === -Status.ValueOutside) {
      const bytes = this.meta[Meta.ValueBytes] ?? 0
      const own = Buffer.allocUnsafeSlow(Math.max(bytes, 1))
      answer = this.withKey(key, (k) => engine.getInto(handle, k, own, 0))
      if (answer >= 0) return take(own, 0, answer)
      if (answer === -Status.NotFound) return undefined
    }
    throw this.failure(answer)
  }

  /** The bytes `[start, end)` that {@link read} gave, as a Buffer that the caller of the store may keep. */
  keepRead(buffer: Buffer, start: number, end: number): Buffer {
    if (buffer !== this.#read) return end === buffer.length ? buffer : viewOf(buffer, 0, end)
    const length = end - start
    if (length > pooledBytesMax) return Buffer.from(viewOf(buffer, start, length))
    const kept = viewOf(buffer, start, length)
    this.#at = (end + 7) & ~7
    if (this.#at > readBufferBytes - pooledBytesMax) {
      this.#read = Buffer.allocUnsafeSlow(readBufferBytes)
      this.#at = 0
      check(this.engine, this.engine.setBuffers(this.handle, this.write, this.#read, this.meta), { path: this.path })
    }
    return kept
  }
}

export { keyAreaBytes }

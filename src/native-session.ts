import { keyAreaBytes, metaNumbers, readBufferBytes, viewOf, writeBufferBytes } from './engine/buffers.ts'
import { check, checkObject, type Engine, type Handle } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import type { SealogError } from './errors.ts'
import { growthError } from './engine/growth-error.ts'
import { poisonChannel } from './diagnostics.ts'
import { type Telling, tellingOf } from './telling.ts'

/** A value is copied out of the read buffer only up to this size; a larger one gets a buffer of its own. */
const pooledBytesMax = readBufferBytes / 4

/**
 * A handle with its agreed buffers: where keys go in and values come out, and what an answer `< 0` becomes. Everything above speaks
 * to native through this.
 */
export class NativeSession {
  readonly engine: Engine
  readonly handle: Handle
  readonly path: string
  /** [0, keyAreaBytes): encoded keys. Behind: a value on its way in. */
  readonly write: Buffer
  readonly meta: Float64Array
  /** Values on their way out are put at `#at`: what is before has been handed out and belongs to others. */
  #read: Buffer
  #at = 0
  #closed = false
  readonly #openedAtMs: number
  #telling: Telling | undefined

  /** @param openedAtMs as RecoveredStore has it @throws SealogError if native refuses the buffers */
  constructor(engine: Engine, handle: Handle, path: string, openedAtMs = 0) {
    this.engine = engine
    this.handle = handle
    this.path = path
    this.#openedAtMs = openedAtMs
    this.write = Buffer.allocUnsafeSlow(writeBufferBytes)
    this.meta = new Float64Array(metaNumbers)
    this.#read = Buffer.allocUnsafeSlow(readBufferBytes)
    check(engine, engine.setBuffers(handle, this.write, this.#read, this.meta), { path })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Where values are put on their way out, and from which place on there is room. */
  get readBuffer(): Buffer {
    return this.#read
  }

  get readAt(): number {
    return this.#at
  }

  /** For when somebody listens. */
  get telling(): Telling {
    return (this.#telling ??= tellingOf(this.path, this.#openedAtMs))
  }

  /** A call has failed: tells of it if the store is poisoned. */
  noticePoison(): void {
    if (poisonChannel.hasSubscribers && !this.#closed) this.telling.lookForPoison(this)
  }

  markClosed(): void {
    this.#closed = true
  }

  /** @throws SealogError ERR_SEALOG_CLOSED */
  assertOpen(): void {
    if (this.#closed) throw errorFromStatus(Status.Closed, null, { path: this.path })
  }

  /** Of the file, now. REQUIRES: open. */
  regionBytes(): number {
    return checkObject(this.engine, this.engine.regionInfo(this.handle), { path: this.path }).fileBytes
  }

  /** The error for an answer `< 0` of a hot call. */
  failure(answer: number): SealogError {
    const context = { path: this.path }
    if (this.#closed || answer === -Status.Closed) return errorFromStatus(Status.Closed, null, context)
    this.noticePoison()
    const details = this.engine.storeFailure(this.handle)
    if (typeof details === 'number') return errorFromStatus(-answer, null, context)
    if (answer === -Status.Poisoned && details.status !== Status.Ok) {
      return errorFromStatus(Status.Poisoned, null, {
        ...context,
        cause: errorFromStatus(details.status, details, context),
      })
    }
    if (answer === -Status.Full) return errorFromStatus(Status.Full, null, { ...context, cause: this.#whyNotGrown() })
    const here = { ...details, status: -answer, detail: '', syscall: '', errno: 0 }
    return errorFromStatus(-answer, here, context)
  }

  /** Of a store that grows by itself, and could not. */
  #whyNotGrown(): SealogError | undefined {
    const growth = this.engine.growth(this.handle)
    if (typeof growth === 'number' || growth.failure === null) return undefined
    return growthError(growth.failure.status, growth.failure, this.path, growth.bytes)
  }

  /** The bytes `[start, end)` that Keyspace.read gave, as a Buffer that the caller of the store may keep. */
  keepRead(buffer: Buffer, start: number, end: number): Buffer {
    if (buffer !== this.#read) return end === buffer.length ? buffer : viewOf(buffer, 0, end)
    const length = end - start
    if (length > pooledBytesMax) return Buffer.from(viewOf(buffer, start, length))
    const kept = viewOf(buffer, start, length)
    this.#keepUpTo(end)
    return kept
  }

  /**
   * As keepRead, for values that native has put one behind the other into the read buffer, each padded to 8 bytes.
   * @param lengths of the first `count` ones, which go behind what is in `kept`; -1: there is none
   */
  keepAll(lengths: Int32Array, count: number, kept: (Buffer | undefined)[]): void {
    const buffer = this.#read
    let at = this.#at
    for (let i = 0; i < count; i++) {
      const length = lengths[i] ?? -1
      if (length < 0) {
        kept.push(undefined)
        continue
      }
      const value = viewOf(buffer, at, length)
      kept.push(length > pooledBytesMax ? Buffer.from(value) : value)
      at += (length + 7) & ~7
    }
    this.#keepUpTo(at)
  }

  /** What is before `end` belongs to others now. */
  #keepUpTo(end: number): void {
    this.#at = (end + 7) & ~7
    if (this.#at > readBufferBytes - pooledBytesMax) {
      this.#read = Buffer.allocUnsafeSlow(readBufferBytes)
      this.#at = 0
      check(this.engine, this.engine.setBuffers(this.handle, this.write, this.#read, this.meta), { path: this.path })
    }
  }
}

export { keyAreaBytes }

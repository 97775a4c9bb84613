import { setImmediate as nextTurn } from 'node:timers/promises'
import { PackedBatch } from './batch.ts'
import { assertExpires, type Core, expectExpiry } from './core.ts'
import { commitsWanted } from './diagnostics.ts'
import { WriteFlag } from './engine/engine.ts'
import { Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'
import { layoutConstants } from './layout/constants.ts'
import { runBatch } from './run-batch.ts'
import { chunksOf, type ValueSource } from './value-source.ts'
import { checkPutOptions, checkSignal, expectedVersion, expiryOf, type PutOptions } from './write-options.ts'

export type PutStreamOptions = PutOptions & {
  /** Aborts it: nothing is written, the source is stopped. */
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes have been taken so far, after each piece of at most 512 KiB. What it throws aborts. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined
}

const optionNames = ['ttl', 'expiresAt', 'ifVersion', 'ifNoExists', 'signal', 'onProgress']
const { kExpiryHeadBytes, kKeyBytesMax } = layoutConstants
/** After so many bytes the event loop has a turn. */
const turnBytes = 2 ** 20
/** After so many they are made durable: the device sets the pace. */
const stepBytes = 4 * 2 ** 20

/**
 * Writes a value from a stream: {@link Table.putStream}.
 * @returns false if its condition does not hold
 */
export async function putStream(
  core: Core,
  keyspace: Keyspace,
  key: unknown,
  source: ValueSource,
  options: PutStreamOptions,
): Promise<boolean> {
  core.session.assertOpen()
  core.gate.assertOutside()
  checkPutOptions(options, optionNames)
  const { signal, onProgress } = options
  checkSignal(signal)
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw new TypeError("Option 'onProgress' must be a function")
  const expected = expectedVersion(options)
  // Refused now rather than behind the last byte. The time counts from there.
  const expires = expiryOf(options, keyspace.ttlMs)
  keyspace.follow()
  const whole = keyspace.encodeWhole(key)
  if (expires !== undefined) {
    assertExpires(core)
    if (whole.length + kExpiryHeadBytes > kKeyBytesMax) throw core.session.failure(-Status.KeyTooLarge)
  }
  const target = new ValueTarget(core, keyspace, whole)
  let aborted: ((error: unknown) => void) | undefined
  const onAbort = (): void => aborted?.(abortedBy(core, signal))
  const chunks = chunksOf(source)
  signal?.addEventListener('abort', onAbort)
  const next = (): Promise<Uint8Array | undefined> =>
    new Promise((resolve, reject) => {
      aborted = reject
      if (signal?.aborted) onAbort()
      else chunks.next().then(resolve, reject)
    })
  try {
    await take(next, target, onProgress)
    const written = target.finish(expiryOf(options, keyspace.ttlMs), expected)
    await core.commits.join()
    return written
  } catch (error) {
    chunks.stop(error)
    target.abort()
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

async function take(
  next: () => Promise<Uint8Array | undefined>,
  target: ValueTarget,
  onProgress: ((doneBytes: number) => void) | undefined,
): Promise<void> {
  let told = 0
  let turned = 0
  let stepped = 0
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
    for (let at = 0; at < chunk.length;) {
      at += target.write(chunk, at)
      if (target.logged === told) continue
      told = target.logged
      onProgress?.(told)
      if (told - turned < turnBytes) continue
      turned = told
      if (told - stepped >= stepBytes) {
        stepped = told
        await target.settle()
      }
      await nextTurn()
    }
  }
}

function abortedBy(core: Core, signal: AbortSignal | undefined): SealogError {
  return new SealogError('ERR_SEALOG_ABORTED', 'The stream was aborted; nothing was written, the old value stays', {
    path: core.session.path,
    cause: signal?.reason,
  })
}

/** A value on its way in. What fits one record is kept until the end; more goes to the log piece by piece. */
class ValueTarget {
  readonly #core: Core
  readonly #keyspace: Keyspace
  readonly #whole: Buffer
  /** Which keys it began with: a namespace that is cleared gets others. */
  readonly #code: number
  readonly #pieceBytes: number
  #piece: Buffer | undefined
  #used = 0
  /** Native's name of the value, once there is more than one piece. */
  #id = 0
  /** Bytes in the log. */
  logged = 0

  constructor(core: Core, keyspace: Keyspace, whole: Buffer) {
    const { engine, handle } = core.session
    this.#core = core
    this.#keyspace = keyspace
    this.#whole = whole
    this.#code = keyspace.codeHere
    const answer = engine.pieceBytes(handle)
    if (answer < 0) throw core.session.failure(answer)
    this.#pieceBytes = answer
  }

  /** Takes bytes of a chunk, from `at` on. @returns how many */
  write(chunk: Uint8Array, at: number): number {
    const left = chunk.length - at
    // A piece is logged when more than it has come: the last one may be all there is.
    if (this.#used === this.#pieceBytes && this.#piece) {
      this.#log(this.#piece)
      this.#used = 0
    }
    if (this.#used === 0 && left > this.#pieceBytes) {
      this.#log(chunk.subarray(at, at + this.#pieceBytes))
      return this.#pieceBytes
    }
    const bytes = Math.min(left, this.#pieceBytes - this.#used)
    this.#room(this.#used + bytes)
    this.#piece?.set(chunk.subarray(at, at + bytes), this.#used)
    this.#used += bytes
    return bytes
  }

  /** Resolves when what was written is durable, on the device if need be: no other work waits for it. */
  settle(): Promise<void> {
    return this.#core.commits.join()
  }

  /** Makes the value visible. @returns false if the condition does not hold */
  finish(expires: number | undefined, expected: number | undefined): boolean {
    const { session, feed, gate } = this.#core
    if (expires !== undefined) expectExpiry(this.#core, expires)
    session.assertOpen()
    gate.assertOutside()
    if (this.#keyspace.code !== this.#code) {
      throw new SealogError('ERR_SEALOG_CONFLICT', 'The namespace was cleared meanwhile; write the value again', {
        path: session.path,
      })
    }
    const key = this.#keyspace.decodeWhole(this.#whole)
    const last = this.#piece?.subarray(0, this.#used) ?? new Uint8Array(0)
    if (this.#id !== 0 && last.length > 0) this.#log(last)
    const watched = feed.active ? feed.before(this.#keyspace, [key]) : undefined
    const bytes = this.#id === 0 ? last.length : this.logged
    const version = this.#id === 0 ? this.#put(last, expires, expected) : this.#commit(expires, expected)
    if (watched && version !== undefined) feed.after(watched, version)
    if (version !== undefined && commitsWanted()) {
      const keyBytes = this.#whole.length - this.#keyspace.head.length
      this.#core.commits.count({ operations: 1, bytes: keyBytes + bytes })
    }
    return version !== undefined
  }

  abort(): void {
    const { session } = this.#core
    if (this.#id !== 0 && !session.closed) session.engine.abortValue(session.handle, this.#id)
    this.#id = 0
  }

  #put(value: Uint8Array, expires: number | undefined, expected: number | undefined): number | undefined {
    const batch = new PackedBatch()
    if (expected !== undefined) batch.checkBytes(this.#keyspace.tree, this.#whole, expected)
    batch.putBytes(this.#keyspace.tree, this.#whole, value, expires)
    return runBatch(this.#core.session, batch, WriteFlag.Deferred)
  }

  #commit(expires: number | undefined, expected: number | undefined): number | undefined {
    const { session } = this.#core
    const answer = session.engine.finishValue(
      session.handle,
      this.#id,
      expires ?? 0,
      expected ?? -1,
      WriteFlag.Deferred,
    )
    this.#id = 0
    if (answer >= 0) return answer
    if (answer === -Status.Conflict) return undefined
    throw session.failure(answer)
  }

  #log(piece: Uint8Array): void {
    const { session } = this.#core
    const { engine, handle } = session
    session.assertOpen()
    if (this.#id === 0) {
      const key = this.#keyspace.decodeWhole(this.#whole)
      const answer = this.#keyspace.withKey(key, (k) => engine.beginValue(handle, k, this.#code))
      if (answer < 0) throw session.failure(answer)
      this.#id = answer
    }
    const answer = engine.appendValue(handle, this.#id, piece)
    if (answer < 0) throw session.failure(answer)
    this.logged += piece.length
  }

  /** Grows what is kept: a small value takes little. */
  #room(bytes: number): void {
    const piece = this.#piece
    if (piece && piece.length >= bytes) return
    const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(bytes, 2 * (piece?.length ?? 0), 4096), this.#pieceBytes))
    piece?.copy(grown, 0, 0, this.#used)
    this.#piece = grown
  }
}

import type { Key, KeyCodec } from './codec/keys.ts'
import type { ValueCodec } from './codec/values.ts'
import { Meta } from './engine/buffers.ts'
import { KeyCodecCode, type KeyArgument } from './engine/engine.ts'
import { Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import { layoutConstants } from './layout/constants.ts'
import type { NativeSession } from './native-session.ts'

const { kKeyBytesMax, kSpaceIdBytes, kTreeSpaces, kTreeUser } = layoutConstants

/** What a namespace's keys and values are, wherever it lies. */
export interface KeyspaceCodecs<V> {
  readonly keys: KeyCodec
  readonly values: ValueCodec<V>
  /** Milliseconds that entries live unless they say otherwise. */
  readonly ttlMs?: number | undefined
}

/** The keys of one namespace: where they lie in the store, and how keys and values become bytes. Id 0 is the default namespace. */
export class Keyspace<V = unknown> {
  readonly session: NativeSession
  readonly keys: KeyCodec
  readonly values: ValueCodec<V>
  readonly ttlMs: number | undefined
  /** Bytes before each key. */
  head: Uint8Array = new Uint8Array(0)
  #code = 0
  #dropped: string | undefined
  #follow: (() => void) | undefined

  constructor(session: NativeSession, codecs: KeyspaceCodecs<V>, id: number) {
    this.session = session
    this.keys = codecs.keys
    this.values = codecs.values
    this.ttlMs = codecs.ttlMs
    this.moveTo(id)
  }

  get tree(): number {
    this.assertNotDropped()
    return this.#code === 0 ? kTreeUser : kTreeSpaces
  }

  /** What looks whether another thread has moved or dropped it, and says so: at the beginning of whatever is done with it. */
  followBy(follow: () => void): void {
    this.#follow = follow
  }

  /** So that all that follows, within this turn, is about the same place. */
  follow(): void {
    this.#follow?.()
  }

  /** From now on its keys are those behind another id. */
  moveTo(id: number): void {
    this.#code = id === 0 ? 0 : 4 * id + KeyCodecCode[this.keys.name]
    this.head = headOf(id)
  }

  /** The keys behind another id, with the same codecs. */
  at(id: number): Keyspace<V> {
    return new Keyspace(this.session, this, id)
  }

  /** It must not be used any more. */
  drop(name: string): void {
    this.#dropped = name
  }

  /** What is before its keys; 0 for those of the default namespace. @throws SealogError ERR_SEALOG_CLOSED once it was dropped */
  get id(): number {
    return Math.floor(this.code / 4)
  }

  /** What native knows it by: 0, or 4 * id + the code of its keys. @throws SealogError ERR_SEALOG_CLOSED once it was dropped */
  get code(): number {
    this.#follow?.()
    return this.codeHere
  }

  /** As code, for what goes with bounds or keys that were made for it. */
  get codeHere(): number {
    this.assertNotDropped()
    return this.#code
  }

  /** @throws SealogError ERR_SEALOG_CLOSED */
  assertNotDropped(): void {
    if (this.#dropped === undefined) return
    throw new SealogError('ERR_SEALOG_CLOSED', `The namespace '${this.#dropped}' was dropped; make it anew to use it`, {
      path: this.session.path,
    })
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
    return call(this.keys.encodeKey(key, this.session.write, 0))
  }

  /** The whole key as it lies in the store, with what is before it. */
  encodeWhole(key: unknown): Buffer {
    const { write } = this.session
    const end = this.putWhole(key, write, 0)
    // No longer than it must be: transactions keep many.
    return Buffer.from(write.subarray(0, end))
  }

  /** The key of what encodeWhole gave. */
  decodeWhole(whole: Buffer): Key {
    return this.keys.decodeKey(whole, this.head.length, whole.length)
  }

  /** As encodeWhole for native's batches, at `at` of `target`. @returns where it ends */
  putWhole(key: unknown, target: Buffer, at: number): number {
    const { head } = this
    if (head.length !== 0) target.set(head, at)
    const keyAt = at + head.length
    const end = keyAt + this.keys.encodeKey(key, target, keyAt)
    if (end - at > kKeyBytesMax) throw this.session.failure(-Status.KeyTooLarge)
    return end
  }

  /** The bytes of a value, which belong to the caller. */
  encodeValue(value: V): Uint8Array {
    const slab = this.session.write
    const encoded = this.values.encodeInto(slab, 0, value)
    return Uint8Array.prototype.slice.call(typeof encoded === 'number' ? slab.subarray(0, encoded) : encoded)
  }

  /**
   * Reads a value. `take` gets the buffer it is in and its bounds; what it returns must not share that memory, unless it keeps them
   * by {@link NativeSession.keepRead}. The version is in the session's numbers then.
   * @param snapshot 0 for the newest state
   * @returns undefined if the key is absent
   */
  read<T>(
    key: unknown,
    snapshot: number,
    withVersion: boolean,
    take: (buffer: Buffer, start: number, end: number) => T,
  ): T | undefined {
    const { session, code } = this
    const { engine, handle } = session
    const at = session.readAt
    let answer = this.withKey(key, (k) =>
      withVersion ? engine.getEntry(handle, k, at, code, snapshot) : engine.get(handle, k, at, code, snapshot),
    )
    if (answer >= 0) return take(session.readBuffer, at, at + answer)
    if (answer === -Status.NotFound) return undefined
    // It did not fit: a buffer of its own, as long as another writer makes it longer meanwhile.
    while (answer === -Status.ValueOutside) {
      const bytes = session.meta[Meta.ValueBytes] ?? 0
      const own = Buffer.allocUnsafeSlow(Math.max(bytes, 1))
      answer = this.withKey(key, (k) => engine.getInto(handle, k, own, code, snapshot))
      if (answer >= 0) return take(own, 0, answer)
      if (answer === -Status.NotFound) return undefined
    }
    throw session.failure(answer)
  }
}

/** What is before the keys of the namespace with this id. */
export function headOf(id: number): Uint8Array {
  const head = Buffer.alloc(id === 0 ? 0 : kSpaceIdBytes)
  if (id !== 0) head.writeUInt32BE(id)
  return head
}

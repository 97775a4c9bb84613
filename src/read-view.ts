import type { Readable } from 'node:stream'
import type { Key } from './codec/keys.ts'
import { Meta, viewOf } from './engine/buffers.ts'
import { getMany } from './get-many.ts'
import { getStream } from './get-stream.ts'
import type { Keyspace } from './keyspace.ts'
import {
  checkLimit,
  checkOffset,
  countBetween,
  encodeBounds,
  RangeIterator,
  type RangeOptions,
  type TakeEntry,
} from './range.ts'
import { SnapshotRef } from './snapshot-ref.ts'
import type { StateRef } from './state-ref.ts'
import { viewValue } from './view.ts'

export interface Entry<V = unknown, K = Key> {
  readonly key: K
  readonly value: V
}

/** A value with the sequence number of the commit that wrote it: greater for later commits, not consecutive. */
export interface VersionedValue<V = unknown> {
  readonly value: V
  readonly version: number
  /** Unix milliseconds; undefined: never. */
  readonly expiresAt: number | undefined
}

/**
 * Reads of one namespace, of its newest state or of a snapshot. Always synchronous; what they return are copies.
 *
 * Every method throws SealogError ERR_SEALOG_CLOSED after close (or release), TypeError for what is no key, ERR_SEALOG_CORRUPT or
 * ERR_SEALOG_MEDIA where the file is damaged.
 */
export abstract class ReadView<V = unknown, K = Key> {
  readonly #keyspace: Keyspace<V>
  readonly #state: StateRef

  constructor(keyspace: Keyspace<V>, state: StateRef) {
    this.#keyspace = keyspace
    this.#state = state
  }

  /** The value of a key; undefined if there is none. */
  get(key: K): V | undefined {
    if (this.#keyspace.values.name === 'binary') return this.getBinary(key) as V | undefined
    return this.#keyspace.read(key, this.#state.id, false, this.#decode)
  }

  /** The stored bytes of a value, whatever the encoding: a copy that is the caller's. */
  getBinary(key: K): Buffer | undefined {
    const { session } = this.#keyspace
    return this.#keyspace.read(key, this.#state.id, false, (buffer, start, end) => session.keepRead(buffer, start, end))
  }

  /**
   * The stored bytes of a value as a stream; undefined if there is none. It reads the state of this moment, whatever is written
   * meanwhile, and holds on to that until it ends or is destroyed. That of a snapshot must be read before the snapshot is released.
   * Each piece is verified before it is handed out: the stream ends with ERR_SEALOG_CORRUPT where one is damaged.
   */
  getStream(key: K): Readable | undefined {
    const { session } = this.#keyspace
    const state = this.#state.id === 0 ? new SnapshotRef(session) : { id: this.#state.id, release: () => undefined }
    return getStream(this.#keyspace, key, state)
  }

  /**
   * Reads the stored bytes of a value in place, without copying them where that pays (from 64 KiB on, and where the value is not in
   * pieces): `callback` is called with them, and its result returned; undefined, without a call, if there is none. The array is for
   * the callback only: when it returns, its length is 0. It must not be given to anything asynchronous. What is stored to it is lost.
   * @throws TypeError if the callback returns a promise; ERR_SEALOG_MEDIA, behind the callback, if the file could not be read
   */
  view<T>(key: K, callback: (bytes: Uint8Array) => T): T | undefined {
    return viewValue(this.#keyspace, key, this.#state.id, callback)
  }

  /** The value with its version. */
  getEntry(key: K): VersionedValue<V> | undefined {
    const { meta } = this.#keyspace.session
    return this.#keyspace.read(key, this.#state.id, true, (buffer, start, end) => {
      const version = meta[Meta.Version] ?? 0
      const expiresAt = meta[Meta.Expires] ?? 0
      const value = this.#decode(buffer, start, end)
      return { value, version, expiresAt: expiresAt === 0 ? undefined : expiresAt }
    })
  }

  /** The values of several keys, in their order. */
  getMany(keys: Iterable<K>): (V | undefined)[] {
    this.#keyspace.session.assertOpen()
    // First all keys: what they come from may use the store.
    return getMany(this.#keyspace, Array.from(keys), this.#state.id, (key) => this.get(key as K))
  }

  /** Whether there is an entry. */
  has(key: K): boolean {
    const { session, code } = this.#keyspace
    const { engine, handle } = session
    const state = this.#state.id
    const answer = this.#keyspace.withKey(key, (k) => engine.has(handle, k, code, state))
    if (answer < 0) throw session.failure(answer)
    return answer === 1
  }

  /** Entries in key order, from a consistent snapshot: {@link RangeIterator}. */
  range(options: RangeOptions<K> = {}): RangeIterator<Entry<V, K>> {
    const { keys, values, head } = this.#keyspace
    if (values.name === 'binary') {
      return this.#iterate(options, false, (block, keyStart, keyEnd, valueStart, valueEnd) => ({
        key: keys.decodeKey(block, keyStart + head.length, keyEnd) as K,
        value: viewOf(block, valueStart, valueEnd - valueStart) as V,
      }))
    }
    return this.#iterate(options, false, (block, keyStart, keyEnd, valueStart, valueEnd) => ({
      key: keys.decodeKey(block, keyStart + head.length, keyEnd) as K,
      value: values.decode(block, valueStart, valueEnd),
    }))
  }

  /** Keys in order, from a consistent snapshot. */
  keys(options: RangeOptions<K> = {}): RangeIterator<K> {
    const { keys, head } = this.#keyspace
    return this.#iterate(options, true, (block, start, end) => keys.decodeKey(block, start + head.length, end) as K)
  }

  /** Values in the order of their keys, from a consistent snapshot. */
  values(options: RangeOptions<K> = {}): RangeIterator<V> {
    if (this.#keyspace.values.name === 'binary') {
      const view: TakeEntry<V> = (block, _keyStart, _keyEnd, start, end) => viewOf(block, start, end - start) as V
      return this.#iterate(options, false, view)
    }
    return this.#iterate(options, false, (block, _keyStart, _keyEnd, start, end) => this.#decode(block, start, end))
  }

  [Symbol.iterator](): RangeIterator<Entry<V, K>> {
    return this.range()
  }

  /** How many entries a range has: by the index's counts, without reading them. */
  count(options: RangeOptions<K> = {}): number {
    this.#keyspace.session.assertOpen()
    const limit = checkLimit(options.limit)
    const offset = checkOffset(options.offset)
    const count = countBetween(this.#keyspace, encodeBounds(this.#keyspace, options), this.#state.id)
    return Math.min(Math.max(count - offset, 0), limit)
  }

  readonly #decode = (buffer: Buffer, start: number, end: number): V => this.#keyspace.values.decode(buffer, start, end)

  #iterate<T>(options: RangeOptions<K>, noValues: boolean, take: TakeEntry<T>): RangeIterator<T> {
    const keyspace = this.#keyspace
    keyspace.session.assertOpen()
    const limit = checkLimit(options.limit)
    const offset = checkOffset(options.offset)
    const bounds = encodeBounds(keyspace, options)
    const snapshot = this.#state.id
    const kept = !noValues && keyspace.values.name === 'binary'
    return new RangeIterator(
      { keyspace, bounds, limit, offset, noValues, kept, snapshot, signal: options.signal },
      take,
    )
  }
}

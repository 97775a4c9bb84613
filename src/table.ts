import { setImmediate as nextTurn } from 'node:timers/promises'
import { type BatchOperation, PackedBatch } from './batch.ts'
import type { Change } from './change-feed.ts'
import type { Key } from './codec/keys.ts'
import { type Core, expectExpiry } from './core.ts'
import { runToldBatch } from './run-batch.ts'
import { sumOf } from './counter.ts'
import { commitsWanted, type CommitKind } from './diagnostics.ts'
import { Meta } from './engine/buffers.ts'
import { WriteFlag } from './engine/engine.ts'
import type { Keyspace } from './keyspace.ts'
import { keyAreaBytes } from './native-session.ts'
import { encodeBounds, placeBounds, type RangeOptions } from './range.ts'
import { putStream, type PutStreamOptions } from './put-stream.ts'
import { ReadView } from './read-view.ts'
import { newestState } from './state-ref.ts'
import type { Told } from './telling.ts'
import type { ValueSource } from './value-source.ts'
import {
  checkPutOptions,
  checkSignal,
  type Condition,
  expectedVersion,
  type ExpiryOptions,
  expiryOf,
  keepingExpiry,
  type PutOptions,
  type RemoveOptions,
} from './write-options.ts'

/** What to watch: a key, or a range of keys; without either, all. */
export interface WatchRange<K = Key> extends Pick<RangeOptions<K>, 'gt' | 'gte' | 'lt' | 'lte' | 'prefix'> {
  readonly key?: K
}

export interface WatchOptions {
  /** Ends the watch with its reason. */
  readonly signal?: AbortSignal
  /** Changes that may wait to be taken, 1024 by default. One more ends the watch with ERR_SEALOG_OVERFLOW. */
  readonly capacity?: number
}

const capacityDefault = 1024
/** Entries that clear removes in one commit: about a millisecond. */
const sliceEntries = 512
const watchRangeNames = ['key', 'gt', 'gte', 'lt', 'lte', 'prefix']
const watchOptionNames = ['signal', 'capacity']
const clearOptionNames = ['gt', 'gte', 'lt', 'lte', 'prefix', 'signal']

// eslint-disable-next-line @typescript-eslint/require-await
async function rejected(error: unknown): Promise<never> {
  throw error
}

/**
 * Reads and writes of one namespace. Synchronous writes are durable when they return; written with a promise, they are visible at once
 * and durable when it resolves. What durable means depends on the store's persistence domain.
 *
 * Writes throw (or reject with) what reads do, and ERR_SEALOG_FULL, _READONLY, _KEY_TOO_LARGE, _VALUE_TOO_LARGE, _TRANSACTION (inside of
 * a transaction's callback) and, once a durable write has failed, _POISONED.
 */
export abstract class Table<V = unknown, K = Key> extends ReadView<V, K> {
  readonly #core: Core
  readonly #keyspace: Keyspace<V>

  constructor(core: Core, keyspace: Keyspace<V>) {
    super(keyspace, newestState)
    this.#core = core
    this.#keyspace = keyspace
  }

  /** Writes an entry, replacing what the key had. Durable on return. @returns with a condition: whether it was written */
  putSync(key: K, value: V, options?: ExpiryOptions & { [name in keyof Condition]?: undefined }): void
  putSync(key: K, value: V, options: PutOptions): boolean
  putSync(key: K, value: V, options?: PutOptions): boolean {
    if (this.#isPlain(options)) this.#write(key, value, 0)
    else return this.#put(key, value, options ?? {}, 0)
    return true
  }

  /** Writes an entry: visible at once, durable when the promise resolves. Writes of one turn of the event loop share a commit. */
  put(key: K, value: V, options?: ExpiryOptions & { [name in keyof Condition]?: undefined }): Promise<void>
  put(key: K, value: V, options: PutOptions): Promise<boolean>
  put(key: K, value: V, options?: PutOptions): Promise<boolean | void> {
    try {
      if (this.#isPlain(options)) this.#write(key, value, WriteFlag.Deferred)
      else {
        const written = this.#put(key, value, options ?? {}, WriteFlag.Deferred)
        if (options !== undefined && expectedVersion(options) !== undefined) return this.#whenDurable(written)
      }
      return this.#core.commits.join()
    } catch (error) {
      return rejected(error)
    }
  }

  /**
   * Writes an entry whose value comes from a stream, up to 1 GiB of it without holding it in memory: visible as a whole when the source
   * has ended, durable when the promise resolves. The bytes are stored as they are: read them with getStream, getBinary or view, or with
   * get where the encoding is 'binary' (or the bytes are what it would have written).
   * @param source each string of it counts as its UTF-8. It is destroyed, cancelled or returned if the value is not written
   * @returns with a condition: whether it was written. The condition is looked at when the source has ended
   * @throws (rejects) what the source throws, or ERR_SEALOG_ABORTED for an aborted signal; the old value stays, as with every error
   */
  putStream(
    key: K,
    source: ValueSource,
    options?: PutStreamOptions & { [name in keyof Condition]?: undefined },
  ): Promise<void>
  putStream(key: K, source: ValueSource, options: PutStreamOptions): Promise<boolean>
  async putStream(key: K, source: ValueSource, options: PutStreamOptions = {}): Promise<boolean | void> {
    const written = await putStream(this.#core, this.#keyspace, key, source, options)
    if (expectedVersion(options) !== undefined) return written
  }

  /** Removes an entry. Durable on return. @returns whether there was one, in the version asked for */
  removeSync(key: K, options?: RemoveOptions): boolean {
    return this.#remove(key, options, 0)
  }

  /** Removes an entry: invisible at once, durable when the promise resolves. @returns as removeSync */
  async remove(key: K, options?: RemoveOptions): Promise<boolean> {
    const removed = this.#remove(key, options, WriteFlag.Deferred)
    // Also if it was absent, perhaps only by a remove that is not durable yet.
    await this.#core.commits.join()
    return removed
  }

  /**
   * Makes all changes, or none, in order: of two changes of a key the last one counts. Durable on return.
   * @returns false, with nothing changed, if a condition does not hold
   */
  batchSync(operations: Iterable<BatchOperation<V, K>>): boolean {
    return this.#batch(operations, 0)
  }

  /** As batchSync: visible at once as a whole, durable when the promise resolves. */
  batch(operations: Iterable<BatchOperation<V, K>>): Promise<boolean> {
    try {
      return this.#whenDurable(this.#batch(operations, WriteFlag.Deferred))
    } catch (error) {
      return rejected(error)
    }
  }

  /**
   * Adds to a counter: an entry whose value is a whole number, 0 if there is none. With a bigint it is one, and without bounds; the
   * time to live is that of the first increment. Durable on return.
   * @returns the new value
   * @throws TypeError if the value is no counter of this kind, RangeError beyond 2^53 - 1
   */
  incrementSync(key: K, by?: number, options?: ExpiryOptions): number
  incrementSync(key: K, by: bigint, options?: ExpiryOptions): bigint
  incrementSync(key: K, by: number | bigint = 1, options: ExpiryOptions = {}): number | bigint {
    return this.#increment(key, by, options, 0)
  }

  /** As incrementSync: visible at once, durable when the promise resolves. */
  increment(key: K, by?: number, options?: ExpiryOptions): Promise<number>
  increment(key: K, by: bigint, options?: ExpiryOptions): Promise<bigint>
  async increment(key: K, by: number | bigint = 1, options: ExpiryOptions = {}): Promise<number | bigint> {
    const value = this.#increment(key, by, options, WriteFlag.Deferred)
    await this.#core.commits.join()
    return value
  }

  /** Removes the entries of a range, a commit for every 512. Durable on return. @returns how many there were */
  clearSync(range: RangeOptions<K> = {}): number {
    let removed = 0
    for (const slice of this.#clearing(range, 0)) removed += slice
    return removed
  }

  /** As clearSync, with turns of the event loop in between; an aborted signal stops it there. Durable when the promise resolves. */
  async clear(range: RangeOptions<K> = {}): Promise<number> {
    let removed = 0
    for (const slice of this.#clearing(range, WriteFlag.Deferred)) {
      removed += slice
      await nextTurn()
      range.signal?.throwIfAborted()
    }
    await this.#core.commits.join()
    return removed
  }

  /**
   * Changes as they become visible, within this process, in their order; expiry is none. A watcher that falls behind by more than
   * `capacity` changes is ended with ERR_SEALOG_OVERFLOW.
   */
  watch(
    range: WatchRange<K> = {},
    options: WatchOptions = {},
  ): AsyncIterableIterator<Change<V, K>, undefined, undefined> {
    this.#core.session.assertOpen()
    checkPutOptions(range, watchRangeNames)
    checkPutOptions(options, watchOptionNames)
    const { capacity = capacityDefault, signal } = options
    checkSignal(signal)
    if (!Number.isSafeInteger(capacity) || capacity < 1) throw new RangeError("Option 'capacity' must be at least 1")
    const { key, ...bounds } = range
    const wanted: RangeOptions<K> = key === undefined ? bounds : { gte: key, lte: key }
    if (key !== undefined && Object.keys(bounds).length > 0) throw new TypeError("Watch either 'key' or a range")
    const watcher = this.#core.feed.watch(this.#keyspace, encodeBounds(this.#keyspace.at(0), wanted), capacity, signal)
    return watcher as AsyncIterableIterator<Change<V, K>, undefined, undefined>
  }

  /** For namespaces that are not cleared entry by entry. */
  protected tellCleared(): void {
    this.#core.feed.cleared(this.#keyspace)
  }

  /** Nothing to do but to write: the way that must be fast. */
  #isPlain(options: PutOptions | undefined): boolean {
    return options === undefined && this.#keyspace.ttlMs === undefined && !this.#core.feed.active
  }

  async #whenDurable(written: boolean): Promise<boolean> {
    if (written) await this.#core.commits.join()
    return written
  }

  #assertWritable(): void {
    this.#core.session.assertOpen()
    this.#core.gate.assertOutside()
  }

  #write(key: K, value: V, flags: number): void {
    this.#assertWritable()
    const keyspace = this.#keyspace
    const { session, code } = keyspace
    const { engine, handle, write } = session
    const end = keyspace.values.encodeInto(write, keyAreaBytes, value)
    const startedMs = commitsWanted() ? performance.now() : 0
    const answer = keyspace.withKey(
      key,
      typeof end === 'number'
        ? (k) => engine.put(handle, k, keyAreaBytes, end, flags, code)
        : (k) => engine.putValue(handle, k, end, flags, code),
    )
    if (answer < 0) throw session.failure(answer)
    if (startedMs !== 0) {
      this.#tellOne('put', key, typeof end === 'number' ? end - keyAreaBytes : end.length, startedMs, flags)
    }
  }

  /** For whoever listens: a change of one key was made. */
  #tellOne(kind: CommitKind, key: K, valueBytes: number, startedMs: number, flags: number): void {
    const durationMs = performance.now() - startedMs
    const { keys, session } = this.#keyspace
    const keyBytes = keys.encodeKey(key, session.write, 0)
    this.#tell(kind, { tally: { operations: 1, bytes: keyBytes + valueBytes }, durationMs }, flags)
  }

  /** Last of all: a subscriber may write. */
  #tell(kind: CommitKind, told: Told, flags: number): void {
    const { commits, session } = this.#core
    if (flags & WriteFlag.Deferred) commits.count(told.tally)
    else session.telling.committed(session, kind, told)
  }

  #put(key: K, value: V, options: PutOptions, flags: number): boolean {
    checkPutOptions(options)
    return this.#run('put', [{ ...options, type: 'put', key, value }], flags) !== undefined
  }

  #remove(key: K, options: RemoveOptions | undefined, flags: number): boolean {
    this.#assertWritable()
    if (options !== undefined) checkPutOptions(options, ['ifVersion'])
    if (options?.ifVersion !== undefined) {
      return this.#run('remove', [{ type: 'del', key, ...options }], flags) !== undefined
    }
    const { session, code } = this.#keyspace
    const { engine, handle } = session
    const { feed } = this.#core
    const watched = feed.active ? feed.before(this.#keyspace, [key]) : undefined
    const startedMs = commitsWanted() ? performance.now() : 0
    const answer = this.#keyspace.withKey(key, (k) => engine.remove(handle, k, flags, code))
    if (answer < 0) throw session.failure(answer)
    if (watched) feed.after(watched, answer)
    if (startedMs !== 0 && answer > 0) this.#tellOne('remove', key, 0, startedMs, flags)
    return answer > 0
  }

  #batch(operations: Iterable<BatchOperation<V, K>>, flags: number): boolean {
    return this.#run('batch', operations, flags) !== undefined
  }

  /** @returns the version of the commit; undefined if a condition does not hold */
  #run(kind: CommitKind, operations: Iterable<BatchOperation<V, K>>, flags: number): number | undefined {
    this.#assertWritable()
    this.#keyspace.follow()
    const { feed } = this.#core
    const packed = new PackedBatch()
    const keys: K[] = []
    for (const operation of operations) {
      this.#pack(packed, operation)
      if (feed.active) keys.push(operation.key)
    }
    // What the caller's iterable and encoders did meanwhile.
    this.#assertWritable()
    const watched = feed.active ? feed.before(this.#keyspace, keys) : undefined
    const version = runToldBatch(this.#core.session, packed, flags)
    if (watched && version !== undefined) feed.after(watched, version)
    if (packed.told && version) this.#tell(kind, packed.told, flags)
    return version
  }

  #pack(packed: PackedBatch, operation: BatchOperation<V, K>): void {
    // Callers without types pass anything.
    const given: unknown = operation
    if (typeof given !== 'object' || given === null) throw new TypeError('A batch operation must be an object')
    const type: string = operation.type
    if (type !== 'put' && type !== 'del') throw new TypeError("A batch operation's type must be 'put' or 'del'")
    const keyspace = this.#keyspace
    const expected = expectedVersion(operation)
    if (expected !== undefined) packed.check(keyspace, operation.key, expected)
    if (operation.type === 'del') {
      packed.del(keyspace, operation.key)
      return
    }
    const expires = expiryOf(operation, keyspace.ttlMs)
    if (expires !== undefined) expectExpiry(this.#core, expires)
    packed.put(keyspace, operation.key, operation.value, expires)
  }

  #increment(key: K, by: number | bigint, options: ExpiryOptions, flags: number): number | bigint {
    checkPutOptions(options, ['ttl', 'expiresAt'])
    for (;;) {
      const entry = this.getEntry(key)
      const next = sumOf(entry?.value, by)
      const lives: ExpiryOptions = entry === undefined ? options : keepingExpiry(entry.expiresAt)
      const condition: Condition = entry === undefined ? { ifNoExists: true } : { ifVersion: entry.version }
      const change = { type: 'put', key, value: next as V, ...lives, ...condition } as const
      if (this.#run('increment', [change], flags) !== undefined) return next
    }
  }

  /** Removes a slice at each step. */
  *#clearing(range: RangeOptions<K>, flags: number): Generator<number> {
    this.#assertWritable()
    checkPutOptions(range, clearOptionNames)
    const keyspace = this.#keyspace
    const { session } = keyspace
    const bounds = encodeBounds(keyspace, range)
    range.signal?.throwIfAborted()
    for (;;) {
      this.#assertWritable()
      const { low, high } = bounds
      placeBounds(session, low, high)
      const { engine, handle, meta } = session
      const all = bounds.flags | flags
      const startedMs = commitsWanted() ? performance.now() : 0
      const answer = engine.eraseRange(handle, low.length, high.length, all, sliceEntries, keyspace.codeHere)
      if (answer < 0) throw session.failure(answer)
      const more = meta[Meta.RemovedMore] === 1
      // At each: it may be stopped behind it, and others write in between.
      if (answer > 0) this.tellCleared()
      if (flags !== 0) this.#core.commits.join().catch(() => undefined)
      if (startedMs !== 0 && answer > 0) {
        const durationMs = performance.now() - startedMs
        this.#tell('clear', { tally: { operations: answer, bytes: 0 }, durationMs }, flags)
      }
      yield answer
      if (!more) break
    }
  }
}

import { type BatchOperation, PackedBatch, packPut } from './batch.ts'
import type { Key } from './codec/keys.ts'
import { valueCodec, type StructureStore, type ValueCodec } from './codec/values.ts'
import { Meta } from './engine/buffers.ts'
import { type Domain, type Engine, type Handle, type RegionInfo, WriteFlag } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { GroupCommit } from './group-commit.ts'
import { layoutConstants } from './layout/constants.ts'
import { keyAreaBytes, NativeSession } from './native-session.ts'
import {
  type Bounds,
  checkLimit,
  encodeBounds,
  placeBounds,
  RangeIterator,
  type RangeOptions,
  type TakeEntry,
} from './range.ts'
import type { RecoveredStore, RecoveryReport, SealReport } from './recovery/recover.ts'
import { readStats, type StoreStats } from './stats.ts'

export interface Entry<V = unknown, K = Key> {
  readonly key: K
  readonly value: V
}

/** A value with the sequence number of the commit that wrote it: greater for later commits, not consecutive. */
export interface VersionedValue<V = unknown> {
  readonly value: V
  readonly version: number
}

/** The seal as it is now, with how far prefaulting has come. */
export interface StoreSeal extends SealReport {
  /** Whether every page has a writable page table entry, so that no put faults. */
  readonly populated: boolean
}

const abandoned = new FinalizationRegistry<{ engine: Engine; handle: Handle }>(({ engine, handle }) => {
  engine.closeStore(handle)
})

/** A larger buffer is not kept for the next batch. */
const spareOpsBytesMax = 4 * 2 ** 20

// eslint-disable-next-line @typescript-eslint/require-await
async function rejected(error: unknown): Promise<never> {
  throw error
}

/**
 * An open store. Synchronous writes are durable when they return; written with a promise, they are visible at once and durable when it
 * resolves. What durable means depends on {@link Store.persistence}. Reads are always synchronous and return copies.
 *
 * Every method throws (or rejects with) SealogError ERR_SEALOG_CLOSED after close, TypeError for what is no key, ERR_SEALOG_CORRUPT
 * or ERR_SEALOG_MEDIA where the file is damaged; writes also ERR_SEALOG_FULL, _READONLY, _KEY_TOO_LARGE, _VALUE_TOO_LARGE and, once a
 * durable write has failed, _POISONED.
 */
export class Store<V = unknown, K = Key> {
  readonly #session: NativeSession
  readonly #values: ValueCodec<V>
  readonly #commits: GroupCommit
  readonly #info: RegionInfo
  readonly #seal: SealReport
  readonly #recovery: RecoveryReport
  #spareOps: Buffer | undefined

  /** For open and openAsync. */
  constructor(engine: Engine, path: string, recovered: RecoveredStore) {
    const { handle } = recovered
    this.#session = new NativeSession(engine, handle, path, recovered.keys)
    this.#values = valueCodec(recovered.encoding, this.#structures()) as ValueCodec<V>
    this.#commits = new GroupCommit(this.#session)
    this.#info = recovered.info
    this.#seal = recovered.seal
    this.#recovery = recovered.recovery
    abandoned.register(this, { engine, handle }, this)
  }

  /** Of the store file. */
  get path(): string {
    return this.#session.path
  }

  get closed(): boolean {
    return this.#session.closed
  }

  /** The persistence domain, as detected: what a completed write survives. docs/durability.md has the table. */
  get persistence(): Domain {
    return this.#info.domain
  }

  /** Facts about the file and how it is mapped. */
  get info(): RegionInfo {
    return { ...this.#info }
  }

  /** The state of the block map, as found at open, and of prefaulting, as it is now. */
  get seal(): StoreSeal {
    const populated = readStats(this.#session.engine, this.#session.handle)?.populate.complete === true
    const best = this.#seal.enforced ? 'pinned' : 'populated'
    const level = populated && this.#seal.level === 'sealed' ? best : this.#seal.level
    return { ...this.#seal, level, populated }
  }

  /** What opening the store found and did. */
  get recovery(): RecoveryReport {
    return { ...this.#recovery }
  }

  // --- writes ---------------------------------------------------------------------------------------------------------

  /** Writes an entry, replacing what the key had. Durable on return. */
  putSync(key: K, value: V): void {
    this.#write(key, value, 0)
  }

  /** Writes an entry: visible at once, durable when the promise resolves. Writes of one turn of the event loop share a commit. */
  put(key: K, value: V): Promise<void> {
    return this.#promised(() => {
      this.#write(key, value, WriteFlag.Deferred)
    })
  }

  /** Removes an entry. Durable on return. @returns whether there was one */
  removeSync(key: K): boolean {
    return this.#remove(key, 0)
  }

  /** Removes an entry: invisible at once, durable when the promise resolves. @returns whether there was one */
  async remove(key: K): Promise<boolean> {
    const removed = this.#remove(key, WriteFlag.Deferred)
    // Absent perhaps only by a remove that is not durable yet: then this one waits for it.
    await (removed ? this.#commits.join() : this.#commits.settled())
    return removed
  }

  /** Makes all changes, or none, in order: of two changes of a key the last one counts. Durable on return. */
  batchSync(operations: Iterable<BatchOperation<V, K>>): void {
    this.#batch(operations, 0)
  }

  /** As batchSync: visible at once as a whole, durable when the promise resolves. */
  batch(operations: Iterable<BatchOperation<V, K>>): Promise<void> {
    return this.#promised(() => {
      this.#batch(operations, WriteFlag.Deferred)
    })
  }

  /** Resolves when everything written so far is durable. */
  flush(): Promise<void> {
    return this.#promised(
      () => {
        this.#session.assertOpen()
      },
      () => this.#commits.settled(),
    )
  }

  // --- reads ----------------------------------------------------------------------------------------------------------

  /** The value of a key; undefined if there is none. */
  get(key: K): V | undefined {
    if (this.#values.name === 'binary') return this.getBinary(key) as V | undefined
    return this.#session.read(key, false, this.#decode)
  }

  /** The stored bytes of a value, whatever the encoding: a copy that is the caller's. */
  getBinary(key: K): Buffer | undefined {
    const session = this.#session
    return session.read(key, false, (buffer, start, end) => session.keepRead(buffer, start, end))
  }

  /** The value with its version. */
  getEntry(key: K): VersionedValue<V> | undefined {
    const session = this.#session
    return session.read(key, true, (buffer, start, end) => {
      const version = session.meta[Meta.Version] ?? 0
      return { value: this.#decode(buffer, start, end), version }
    })
  }

  /** The values of several keys, in their order. */
  getMany(keys: Iterable<K>): (V | undefined)[] {
    this.#session.assertOpen()
    return Array.from(keys, (key) => this.get(key))
  }

  /** Whether there is an entry. */
  has(key: K): boolean {
    const { engine, handle } = this.#session
    const answer = this.#session.withKey(key, (k) => engine.has(handle, k))
    if (answer < 0) throw this.#session.failure(answer)
    return answer === 1
  }

  /** Entries in key order, from a consistent snapshot: {@link RangeIterator}. */
  range(options: RangeOptions<K> = {}): RangeIterator<Entry<V, K>> {
    return this.#iterate(options, false, (block, keyStart, keyEnd, valueStart, valueEnd) => ({
      key: this.#session.keys.decodeKey(block, keyStart, keyEnd) as K,
      value: this.#values.decode(block, valueStart, valueEnd),
    }))
  }

  /** Keys in order, from a consistent snapshot. */
  keys(options: RangeOptions<K> = {}): RangeIterator<K> {
    return this.#iterate(options, true, (block, start, end) => this.#session.keys.decodeKey(block, start, end) as K)
  }

  /** Values in the order of their keys, from a consistent snapshot. */
  values(options: RangeOptions<K> = {}): RangeIterator<V> {
    return this.#iterate(options, false, (block, _keyStart, _keyEnd, start, end) =>
      this.#values.decode(block, start, end),
    )
  }

  [Symbol.iterator](): RangeIterator<Entry<V, K>> {
    return this.range()
  }

  /** How many entries a range has: by the index's counts, without reading them. */
  count(options: RangeOptions<K> = {}): number {
    const session = this.#session
    session.assertOpen()
    const limit = checkLimit(options.limit)
    const { low, high, flags } = encodeBounds(session, options)
    placeBounds(session, low, high)
    const answer = session.engine.count(session.handle, low.length, high.length, flags)
    if (answer < 0) throw session.failure(answer)
    return Math.min(answer, limit)
  }

  // --- the store itself -------------------------------------------------------------------------------------------------

  /** Figures since open; docs/performance.md says how to read them. */
  stats(): StoreStats {
    this.#session.assertOpen()
    const stats = readStats(this.#session.engine, this.#session.handle)
    if (stats === undefined) throw this.#session.failure(-Status.Closed)
    return stats
  }

  /**
   * Ends the store: what was written is durable, and the next open has nothing to replay. Closing twice is no error.
   * @throws SealogError if the last writes could not be made durable; the store is closed all the same
   */
  close(): void {
    const session = this.#session
    if (session.closed) return
    session.markClosed()
    abandoned.unregister(this)
    const answer = session.engine.closeStore(session.handle)
    const failure = answer < 0 ? session.engine.lastError() : null
    const error = answer < 0 ? errorFromStatus(-answer, failure, { path: session.path }) : undefined
    this.#commits.close(error)
    if (error) throw error
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.closed && !this.#info.readOnly) await this.flush()
    } finally {
      this.close()
    }
  }

  // --- inside -------------------------------------------------------------------------------------------------------------

  readonly #decode = (buffer: Buffer, start: number, end: number): V => this.#values.decode(buffer, start, end)

  #promised(write: () => void, then = (): Promise<void> => this.#commits.join()): Promise<void> {
    try {
      write()
      return then()
    } catch (error) {
      return rejected(error)
    }
  }

  #write(key: K, value: V, flags: number): void {
    const session = this.#session
    session.assertOpen()
    const { engine, handle, write } = session
    const end = this.#values.encodeInto(write, keyAreaBytes, value)
    const answer = session.withKey(
      key,
      typeof end === 'number'
        ? (k) => engine.put(handle, k, keyAreaBytes, end, flags)
        : (k) => engine.putValue(handle, k, end, flags),
    )
    if (answer < 0) throw session.failure(answer)
  }

  #remove(key: K, flags: number): boolean {
    const session = this.#session
    const { engine, handle } = session
    const answer = session.withKey(key, (k) => engine.remove(handle, k, flags))
    if (answer < 0) throw session.failure(answer)
    return answer > 0
  }

  #batch(operations: Iterable<BatchOperation<V, K>>, flags: number): void {
    const session = this.#session
    session.assertOpen()
    // Taken for as long as it is being filled: the caller's iterable, getters and encoders may start another batch meanwhile.
    const packed = new PackedBatch(this.#spareOps)
    this.#spareOps = undefined
    for (const operation of operations) packed.append(session.keys, this.#values, operation)
    if (packed.count > 0) {
      const answer = session.engine.batch(session.handle, packed.buffer, packed.bytes, packed.count, flags)
      if (answer < 0) throw session.failure(answer)
    }
    if (packed.buffer.length <= spareOpsBytesMax) this.#spareOps = packed.buffer
  }

  #iterate<T>(options: RangeOptions<K>, noValues: boolean, take: TakeEntry<T>): RangeIterator<T> {
    this.#session.assertOpen()
    const limit = checkLimit(options.limit)
    const bounds: Bounds = encodeBounds(this.#session, options)
    return new RangeIterator(this.#session, bounds, limit, noValues, take)
  }

  /**
   * msgpackr's shared structures live in the system tree, written before the value that first needs them. Loaded in the middle of a
   * decode, so into a buffer of their own.
   */
  #structures(): StructureStore {
    const { engine, handle } = this.#session
    const key = Buffer.from('msgpackr/structures')
    return {
      load: () => {
        for (let bytes = 4096; ;) {
          const own = Buffer.allocUnsafeSlow(bytes)
          key.copy(this.#session.write)
          const answer = engine.getInto(handle, key.length, own, layoutConstants.kTreeSystem)
          if (answer >= 0) return own.subarray(0, answer)
          if (answer === -Status.NotFound) return undefined
          if (answer !== -Status.ValueOutside) throw this.#session.failure(answer)
          bytes = this.#session.meta[Meta.ValueBytes] ?? bytes * 2
        }
      },
      save: (value) => {
        const op = packPut(layoutConstants.kTreeSystem, key, value)
        const answer = engine.batch(handle, op, op.length, 1, 0)
        if (answer < 0) throw this.#session.failure(answer)
      },
    }
  }
}

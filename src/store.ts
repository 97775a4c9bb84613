import { keyRoomBytes, type Key } from './codec/keys.ts'
import { valueCodec, type StructureStore, type ValueCodec } from './codec/values.ts'
import { Meta } from './engine/buffers.ts'
import { BatchOp, type Domain, type Engine, type Handle, type RegionInfo, WriteFlag } from './engine/engine.ts'
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

/** One change of a batch. */
export type BatchOperation<V = unknown, K = Key> =
  { readonly type: 'put'; readonly key: K; readonly value: V } | { readonly type: 'del'; readonly key: K }

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

const opHeadBytes = 8

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
  #ops = Buffer.allocUnsafeSlow(4096)

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
    const level = populated && this.#seal.level === 'sealed' ? 'populated' : this.#seal.level
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
    return this.#promised(() => this.#write(key, value, WriteFlag.Deferred))
  }

  /** Removes an entry. Durable on return. @returns whether there was one */
  removeSync(key: K): boolean {
    return this.#remove(key, 0)
  }

  /** Removes an entry: invisible at once, durable when the promise resolves. @returns whether there was one */
  async remove(key: K): Promise<boolean> {
    const removed = this.#remove(key, WriteFlag.Deferred)
    if (removed) await this.#commits.join()
    return removed
  }

  /** Makes all changes, or none, in order: of two changes of a key the last one counts. Durable on return. */
  batchSync(operations: Iterable<BatchOperation<V, K>>): void {
    this.#batch(operations, 0)
  }

  /** As batchSync: visible at once as a whole, durable when the promise resolves. */
  batch(operations: Iterable<BatchOperation<V, K>>): Promise<void> {
    return this.#promised(() => this.#batch(operations, WriteFlag.Deferred))
  }

  /** Resolves when everything written so far is durable. */
  flush(): Promise<void> {
    return this.#promised(
      () => this.#session.assertOpen(),
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
    if (!this.closed) await this.flush()
    this.close()
  }

  // --- inside -------------------------------------------------------------------------------------------------------------

  readonly #decode = (buffer: Buffer, start: number, end: number): V => this.#values.decode(buffer, start, end)

  #promised(write: () => void, then = (): Promise<void> => this.#commits.join()): Promise<void> {
    try {
      write()
      return then()
    } catch (error) {
      return Promise.reject(error as Error)
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
    let at = 0
    let count = 0
    for (const operation of operations) {
      if (typeof operation !== 'object' || (operation as unknown) === null)
        throw new TypeError('A batch operation must be an object')
      at = this.#appendOperation(operation, at)
      count++
    }
    if (count === 0) return
    const answer = session.engine.batch(session.handle, this.#ops, at, count, flags)
    if (answer < 0) throw session.failure(answer)
  }

  /** Packs one change behind the others: {u8 op, u8 tree, u16 key bytes, u32 value bytes, key, value}. */
  #appendOperation(operation: BatchOperation<V, K>, at: number): number {
    const isPut = operation.type === 'put'
    if (!isPut && operation.type !== 'del') throw new TypeError("A batch operation's type must be 'put' or 'del'")
    this.#growOps(at, opHeadBytes + keyRoomBytes)
    const keyAt = at + opHeadBytes
    const keyBytes = this.#session.keys.encodeKey(operation.key, this.#ops, keyAt)
    let end = keyAt + keyBytes
    if (isPut) {
      const encoded = this.#values.encodeInto(this.#ops, end, operation.value)
      if (typeof encoded === 'number') {
        end = encoded
      } else {
        this.#growOps(end, encoded.length)
        this.#ops.set(encoded, end)
        end += encoded.length
      }
    }
    const ops = this.#ops
    ops[at] = isPut ? BatchOp.Put : BatchOp.Del
    ops[at + 1] = layoutConstants.kTreeUser
    ops.writeUInt16LE(keyBytes, at + 2)
    ops.writeUInt32LE(end - keyAt - keyBytes, at + 4)
    return end
  }

  #growOps(used: number, more: number): void {
    if (used + more <= this.#ops.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#ops.length * 2, used + more))
    this.#ops.copy(grown, 0, 0, used)
    this.#ops = grown
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
        const op = Buffer.allocUnsafeSlow(opHeadBytes + key.length + value.length)
        op[0] = BatchOp.Put
        op[1] = layoutConstants.kTreeSystem
        op.writeUInt16LE(key.length, 2)
        op.writeUInt32LE(value.length, 4)
        op.set(key, opHeadBytes)
        op.set(value, opHeadBytes + key.length)
        const answer = engine.batch(handle, op, op.length, 1, 0)
        if (answer < 0) throw this.#session.failure(answer)
      },
    }
  }
}

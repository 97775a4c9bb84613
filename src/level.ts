/* eslint-disable @typescript-eslint/require-await -- abstract-level's methods are asynchronous, Sealog's reads are not */
import { existsSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type AbstractDatabaseOptions, AbstractIterator, AbstractLevel, AbstractSnapshot } from 'abstract-level'
import { SealogError } from './errors.ts'
import { openAsync } from './open.ts'
import type { OpenAsyncOptions } from './options.ts'
import type { RangeOptions } from './range.ts'
import type { ReadView } from './read-view.ts'
import type { Rows } from './rows.ts'
import type { Snapshot } from './snapshot.ts'
import { storePath } from './store-path.ts'
import type { Store } from './store.ts'

type StoreOptions = Omit<OpenAsyncOptions, 'keys' | 'encoding' | 'createIfMissing' | 'errorIfExists'>

/** Options of abstract-level, and those of openAsync but for `keys` and `encoding`, which are always 'binary'. */
export type LevelOptions<K = string, V = string> = AbstractDatabaseOptions<K, V> & StoreOptions

/** Other options may be for plugins: abstract-level lets every database ignore what it does not know. */
const forwarded: Readonly<Record<keyof StoreOptions, true>> = {
  capacity: true,
  durability: true,
  require: true,
  readOnly: true,
  checkpointBytes: true,
  segmentBytes: true,
  seal: true,
  autoGrow: true,
  flush: true,
  waitMs: true,
  onProgress: true,
  signal: true,
}

/** As given to the private methods of abstract-level: encoded, with every default filled in. */
interface Reading {
  readonly snapshot?: AbstractSnapshot | null
}
interface Range extends Reading {
  readonly gt?: Buffer
  readonly gte?: Buffer
  readonly lt?: Buffer
  readonly lte?: Buffer
  readonly reverse: boolean
  /** -1 for none. */
  readonly limit: number
}
interface Iteration extends Range {
  readonly keys: boolean
  readonly values: boolean
  readonly signal?: AbortSignal | null
}
type Operation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

const manifest = {
  encodings: { buffer: true },
  getSync: true,
  has: true,
  seek: true,
  implicitSnapshots: true,
  explicitSnapshots: true,
  createIfMissing: true,
  errorIfExists: true,
  signals: { iterators: true },
}

type Bytes = Store<Buffer, Buffer>
type Row = [key: Buffer | undefined, value: Buffer | undefined]

/** In front of every key: abstract-level allows the empty key, Sealog does not. */
const prefix = 0
/** The bounds of all keys with it. */
const first = Buffer.of(prefix)
const behind = Buffer.of(prefix + 1)
/** Entries that are read or removed before the event loop gets its turn. */
const sliceRows = 1000

function stored(key: Buffer): Buffer {
  const prefixed = Buffer.allocUnsafe(key.length + 1)
  prefixed[0] = prefix
  prefixed.set(key, 1)
  return prefixed
}

/** Inclusive bounds win over exclusive ones, as abstract-level wants it. */
function boundsOf({ gt, gte, lt, lte, reverse }: Range): RangeOptions<Buffer> {
  const low = gte ? { gte: stored(gte) } : gt ? { gt: stored(gt) } : { gte: first }
  const high = lte ? { lte: stored(lte) } : lt ? { lt: stored(lt) } : { lt: behind }
  return { ...low, ...high, reverse }
}

function isWithin(key: Buffer, { gt, gte, lt, lte }: RangeOptions<Buffer>): boolean {
  return (
    (gt === undefined || key.compare(gt) > 0) &&
    (gte === undefined || key.compare(gte) >= 0) &&
    (lt === undefined || key.compare(lt) < 0) &&
    (lte === undefined || key.compare(lte) <= 0)
  )
}

/** As abstract-level's own, which it does not export. */
function aborted(signal: AbortSignal): Error {
  const error = new Error('Operation has been aborted', { cause: signal.reason })
  return Object.assign(error, { name: 'AbortError', code: 'LEVEL_ABORTED' })
}

// Its types leave the constructor out.
const SnapshotBase = AbstractSnapshot as new (options: object) => AbstractSnapshot

class LevelSnapshot extends SnapshotBase {
  readonly store: Bytes
  readonly view: Snapshot<Buffer, Buffer>

  constructor(options: object, store: Bytes) {
    super(options)
    this.store = store
    this.view = store.snapshot()
  }

  protected async _close(): Promise<void> {
    this.view.release()
  }
}

class LevelIterator<K, V> extends AbstractIterator<SealogLevel<K, V>, K, V> {
  /** Taken when the iterator is made, as abstract-level wants it; undefined if it reads from an explicit one. */
  readonly #own: Snapshot<Buffer, Buffer> | undefined
  readonly #view: ReadView<Buffer, Buffer>
  readonly #bounds: RangeOptions<Buffer>
  readonly #keys: boolean
  readonly #values: boolean
  readonly #signal: AbortSignal | undefined
  /** Where the last seek went. */
  #from: Buffer | undefined
  /** Undefined before the first read, and between a seek and the next one. */
  #rows: Rows<Row> | undefined
  #ended = false

  constructor(db: SealogLevel<K, V>, options: Iteration, store: Bytes, snapshot: LevelSnapshot | undefined) {
    super(db, options as object)
    this.#own = snapshot ? undefined : store.snapshot()
    this.#view = snapshot?.view ?? (this.#own as ReadView<Buffer, Buffer>)
    this.#bounds = boundsOf(options)
    this.#keys = options.keys
    this.#values = options.values
    this.#signal = options.signal ?? undefined
  }

  protected async _next(): Promise<Row | undefined> {
    if (this.#signal) await this.#unlessAborted(this.#signal)
    return this.#row()
  }

  protected async _nextv(size: number): Promise<Row[]> {
    if (this.#signal) await this.#unlessAborted(this.#signal)
    return this.#take(size)
  }

  protected async _all(): Promise<Row[]> {
    const all: Row[] = []
    for (;;) {
      if (this.#signal) await this.#unlessAborted(this.#signal)
      const slice = this.#take(sliceRows)
      for (const row of slice) all.push(row)
      if (slice.length < sliceRows) return all
      await nextTurn()
    }
  }

  /** Ends the iterator, until the next seek, if the target is out of its range. */
  protected _seek(target: Buffer): void {
    this.#rows?.return()
    this.#rows = undefined
    this.#from = stored(target)
    this.#ended = !isWithin(this.#from, this.#bounds)
  }

  protected async _close(): Promise<void> {
    this.#ended = true
    this.#rows?.return()
    this.#own?.release()
  }

  /** A call that is under way is aborted as well, which a read without a pause could not be. */
  async #unlessAborted(signal: AbortSignal): Promise<void> {
    await Promise.resolve()
    if (signal.aborted) throw aborted(signal)
  }

  #open(): Rows<Row> {
    const from = this.#from
    const { gt, gte, lt, lte, reverse = false } = this.#bounds
    const low = from && !reverse ? { gte: from } : gte ? { gte } : gt ? { gt } : {}
    const high = from && reverse ? { lte: from } : lte ? { lte } : lt ? { lt } : {}
    const range = { ...low, ...high, reverse, limit: this.limit - this.count }
    if (!this.#values) return this.#view.keys(range).map((key) => [this.#keys ? key.subarray(1) : undefined, undefined])
    if (!this.#keys) return this.#view.values(range).map((value) => [undefined, value])
    return this.#view.range(range).map(({ key, value }) => [key.subarray(1), value])
  }

  #row(): Row | undefined {
    if (this.#ended) return undefined
    this.#rows ??= this.#open()
    const { done, value } = this.#rows.next()
    return done === true ? undefined : value
  }

  #take(size: number): Row[] {
    const rows: Row[] = []
    for (let row; rows.length < size && (row = this.#row()) !== undefined;) rows.push(row)
    return rows
  }
}

/**
 * A Sealog store as an abstract-level 3 database: sublevels, encodings, hooks and events are abstract-level's. Every write is durable
 * when its promise resolves; what durable means depends on where the store is (docs/durability.md).
 */
export class SealogLevel<K = string, V = string> extends AbstractLevel<Buffer, K, V> {
  readonly #location: string
  readonly #path: string
  #store!: Bytes

  /**
   * @param location path of the store; `.sealog` is added unless it ends so. Its directory must exist
   * @throws TypeError if `location` is no path
   */
  constructor(location: string, options: LevelOptions<K, V> = {}) {
    const path = storePath(location)
    super(manifest, options)
    this.#location = location
    this.#path = path
  }

  /** As given to the constructor. */
  get location(): string {
    return this.#location
  }

  protected async _open(options: LevelOptions<K, V>): Promise<void> {
    const { errorIfExists = false, readOnly = false } = options
    const createIfMissing = options.createIfMissing === true && !readOnly
    const path = this.#path
    // For Sealog errorIfExists contradicts this; here it says which refusal is wanted.
    if (!createIfMissing && !existsSync(path)) {
      const message = 'The store does not exist; check the path, or open it with createIfMissing'
      throw new SealogError('ERR_SEALOG_ABSENT', message, { path })
    }
    if (!createIfMissing && errorIfExists)
      throw new SealogError('ERR_SEALOG_EXISTS', 'The store exists already; open it without errorIfExists', { path })
    const given = Object.entries(options).filter(([name]) => Object.hasOwn(forwarded, name))
    this.#store = await openAsync<Buffer, Buffer>(path, {
      ...(Object.fromEntries(given) as StoreOptions),
      createIfMissing,
      errorIfExists,
      keys: 'binary',
      encoding: 'binary',
    })
  }

  protected async _close(): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
  }

  protected async _get(key: Buffer, options: Reading): Promise<Buffer | undefined> {
    return this._getSync(key, options)
  }

  protected _getSync(key: Buffer, options: Reading): Buffer | undefined {
    return this.#viewOf(options).get(stored(key))
  }

  protected async _getMany(keys: Buffer[], options: Reading): Promise<(Buffer | undefined)[]> {
    return this.#viewOf(options).getMany(keys.map(stored))
  }

  protected async _has(key: Buffer, options: Reading): Promise<boolean> {
    return this.#viewOf(options).has(stored(key))
  }

  protected async _hasMany(keys: Buffer[], options: Reading): Promise<boolean[]> {
    const view = this.#viewOf(options)
    return keys.map((key) => view.has(stored(key)))
  }

  protected async _put(key: Buffer, value: Buffer): Promise<void> {
    await this.#store.put(stored(key), value)
  }

  protected async _del(key: Buffer): Promise<void> {
    await this.#store.remove(stored(key))
  }

  protected async _batch(operations: readonly Operation[]): Promise<void> {
    // The operations have further properties, of the caller's and of abstract-level, that are none of Sealog's.
    await this.#store.batch(
      operations.map((operation) =>
        operation.type === 'put'
          ? { type: 'put', key: stored(operation.key), value: operation.value }
          : { type: 'del', key: stored(operation.key) },
      ),
    )
  }

  /** In slices, which are atomic each. */
  protected async _clear(options: Range): Promise<void> {
    const store = this.#store
    const snapshot = this.#snapshotOf(options)
    const { reverse = false, ...bounds } = boundsOf(options)
    if (!snapshot && options.limit < 0) {
      await store.clear(bounds)
      return
    }
    const limit = options.limit < 0 ? Infinity : options.limit
    let slice: { type: 'del'; key: Buffer }[] = []
    for (const key of (snapshot?.view ?? store).keys({ ...bounds, reverse, limit })) {
      if (slice.push({ type: 'del', key }) < sliceRows) continue
      await store.batch(slice)
      slice = []
    }
    await store.batch(slice)
  }

  protected _iterator(options: Iteration): LevelIterator<K, V> {
    return new LevelIterator(this, options, this.#store, this.#snapshotOf(options))
  }

  protected _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(options, this.#store)
  }

  #viewOf(options: Reading): ReadView<Buffer, Buffer> {
    return this.#snapshotOf(options)?.view ?? this.#store
  }

  #snapshotOf({ snapshot }: Reading): LevelSnapshot | undefined {
    if (snapshot == null) return undefined
    if (snapshot instanceof LevelSnapshot && snapshot.store === this.#store) return snapshot
    throw new TypeError('The snapshot must be one of this database')
  }
}

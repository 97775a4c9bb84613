import { setTimeout as wait } from 'node:timers/promises'
import { PackedBatch } from './batch.ts'
import type { CataloguedNamespace } from './catalogue.ts'
import type { Key } from './codec/keys.ts'
import { type Core, expectExpiry } from './core.ts'
import { runToldBatch } from './run-batch.ts'
import { sumOf } from './counter.ts'
import { Meta } from './engine/buffers.ts'
import { check, RangeFlag, WriteFlag } from './engine/engine.ts'
import { SealogError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'
import { keyspaceOf, type Namespace } from './namespace.ts'
import { Overlay, type PendingChange } from './overlay.ts'
import {
  type Bounds,
  checkLimit,
  checkOffset,
  countBetween,
  encodeBounds,
  RangeIterator,
  type RangeOptions,
} from './range.ts'
import type { Entry } from './read-view.ts'
import { LazyRows, type Rows } from './rows.ts'
import { SnapshotRef } from './snapshot-ref.ts'
import { checkPutOptions, checkSignal, type ExpiryOptions, expiryOf, keepingExpiry } from './write-options.ts'
import type { Told } from './telling.ts'
import type { RunningTransaction } from './write-gate.ts'

export interface TransactionOptions {
  /** How often it is run again after a conflict, 10 by default; then it rejects with ERR_SEALOG_CONFLICT. */
  readonly retries?: number
  /** Once it is aborted, the transaction is rolled back and rejects with ERR_SEALOG_ABORTED. */
  readonly signal?: AbortSignal
}

/** What of a range has been read: all of it once `done`, else up to `last`. */
interface RangeRead {
  readonly keyspace: Keyspace
  readonly bounds: Bounds
  count: number
  last: Buffer | undefined
  done: boolean
}

interface Part {
  readonly keyspace: Keyspace
  readonly overlay: Overlay
  /** Whole keys with the versions that were read; 0: there was none. Asynchronous transactions only. */
  readonly reads: Map<string, number>
  readonly identity: Identity | undefined
  readonly catalogued: CataloguedNamespace | undefined
}

/** Which of a transaction and those nested in it may be used now. */
class Level {
  readonly parent: Level | undefined
  open = true
  nested = false

  constructor(parent?: Level) {
    this.parent = parent
  }

  /** It, or one that it is nested in. */
  get ended(): boolean {
    return !this.open || this.parent?.ended === true
  }

  /** @throws SealogError ERR_SEALOG_TRANSACTION */
  assertUsable(): void {
    if (this.ended) throw new SealogError('ERR_SEALOG_TRANSACTION', 'The transaction has ended; begin another one')
    if (this.nested) {
      throw new SealogError(
        'ERR_SEALOG_TRANSACTION',
        'A nested transaction is running; use what its callback was given, or await it first',
      )
    }
  }

  /** What is to end must have nothing nested that still runs. @throws SealogError ERR_SEALOG_TRANSACTION */
  assertAlone(): void {
    if (!this.nested) return
    throw new SealogError('ERR_SEALOG_TRANSACTION', 'A nested transaction was still running at the end; await it')
  }
}

/** Which namespace it is: its name, and what tells it from others that had that name. */
interface Identity {
  readonly name: string
  readonly born: number
}

/** All that the views of one transaction share. */
class TransactionState implements RunningTransaction {
  readonly core: Core
  /** What an asynchronous one reads from. */
  readonly snapshot: SnapshotRef | undefined
  readonly parts = new Map<Keyspace, Part>()
  readonly rangeReads: RangeRead[] = []
  running = true
  /** Whether a remove has found nothing. */
  reliesOnAbsence = false
  /** For whoever listens: what was made durable. */
  committed: Told | undefined

  constructor(core: Core, isAsync: boolean) {
    this.core = core
    this.snapshot = isAsync ? new SnapshotRef(core.session) : undefined
  }

  get stateId(): number {
    return this.snapshot?.id ?? 0
  }

  partOf(keyspace: Keyspace, identity?: Identity): Part {
    let part = this.parts.get(keyspace)
    if (part === undefined) {
      // The namespace as the snapshot has it: it may have been cleared since.
      const catalogued =
        identity && this.snapshot && (this.#find(identity, this.snapshot.id) ?? this.#find(identity, 0))
      // Dropped by another thread since: it says so.
      if (identity && catalogued === undefined) keyspace.follow()
      const then = catalogued === undefined ? keyspace : keyspace.at(catalogued.record.id)
      part = { keyspace: then, overlay: new Overlay(), reads: new Map(), identity, catalogued }
      this.parts.set(keyspace, part)
    }
    return part
  }

  #find({ name, born }: Identity, snapshot: number): CataloguedNamespace | undefined {
    const found = this.core.catalogue.find(name, snapshot)
    return found?.record.born === born ? found : undefined
  }

  get changed(): boolean {
    return [...this.parts.values()].some(({ overlay }) => overlay.size > 0)
  }

  end(): void {
    this.running = false
    this.snapshot?.release()
  }

  /**
   * Commits everything as one batch: one fence.
   * @returns false after a conflict; it has ended in any case
   */
  commit(flags: number): boolean {
    const changed = [...this.parts.values()].filter(({ overlay }) => overlay.size > 0)
    const snapshot = this.snapshot
    // What only reads is consistent by its snapshot.
    if (changed.length === 0) {
      const { engine, handle } = this.core.session
      if (this.reliesOnAbsence && flags === 0) check(engine, engine.commit(handle), { path: this.core.session.path })
      return true
    }
    const batch = new PackedBatch()
    if (snapshot !== undefined) this.#packChecks(batch, snapshot.version)
    for (const { keyspace, overlay } of changed) {
      for (const { key, value, expires } of overlay.values()) {
        if (value === undefined) batch.delBytes(keyspace.tree, key)
        else batch.putBytes(keyspace.tree, key, value, expires)
      }
    }
    const { feed } = this.core
    const watched = feed.active
      ? [...this.parts].flatMap(([keyspace, { overlay }]) => feed.before(keyspace, keysOf(keyspace, overlay)))
      : undefined
    // Nothing reads from it any more, and what it keeps a full store may need for this very batch.
    snapshot?.release()
    const version = runToldBatch(this.core.session, batch, flags)
    if (batch.told && version !== undefined) {
      if (flags & WriteFlag.Deferred) this.core.commits.count(batch.told.tally)
      else this.committed = batch.told
    }
    if (watched && version !== undefined) feed.after(watched, version)
    return version !== undefined
  }

  #packChecks(batch: PackedBatch, version: number): void {
    for (const { keyspace, reads, identity, catalogued } of this.parts.values()) {
      if (identity && catalogued) this.core.catalogue.checkUnchanged(batch, identity.name, catalogued)
      for (const [key, read] of reads) batch.checkBytes(keyspace.tree, Buffer.from(key, 'latin1'), read)
    }
    for (const { keyspace, bounds, count, last, done } of this.rangeReads) {
      batch.checkRange(keyspace.tree, done ? bounds : upTo(bounds, last), version, count)
    }
  }
}

function keysOf(keyspace: Keyspace, overlay: Overlay): unknown[] {
  return Array.from(overlay.values(), ({ key }) => keyspace.decodeWhole(key))
}

/** The part of a range that lies up to the last key that was read; nothing, if none was. */
function upTo({ low, high, flags }: Bounds, last: Buffer | undefined): Bounds {
  if (last === undefined) return { low, high: low, flags: RangeFlag.HasHigh }
  return flags & RangeFlag.Reverse
    ? { low: last, high, flags: flags & ~RangeFlag.LowExclusive }
    : { low, high: last, flags: flags | RangeFlag.HasHigh | RangeFlag.HighInclusive }
}

/**
 * Reads and writes within a transaction: reads see its own writes, and nothing is visible outside, or durable, before it commits as a
 * whole. What the callback throws rolls it back.
 */
export class Transaction<V = unknown, K = Key> {
  readonly #state: TransactionState
  readonly #level: Level
  readonly #given: Keyspace<V>
  readonly #identity: Identity | undefined

  /** For {@link runTransactionSync} and {@link runTransaction}. */
  constructor(state: TransactionState, level: Level, keyspace: Keyspace<V>, identity?: Identity) {
    this.#state = state
    this.#level = level
    this.#given = keyspace
    this.#identity = identity
  }

  /** The same transaction in a namespace of the store. */
  in<V2, K2>(namespace: Namespace<V2, K2>): Transaction<V2, K2> {
    const keyspace = keyspaceOf(namespace, this.#state.core)
    namespace.follow()
    const identity = { name: namespace.name, born: namespace.current.record.born }
    return new Transaction<V2, K2>(this.#state, this.#level, keyspace, identity)
  }

  get(key: K): V | undefined {
    const { keyspace } = this.#part()
    return this.#read(key, (buffer, start, end) => keyspace.values.decode(buffer, start, end) as V)
  }

  /** The stored bytes of a value: a copy. */
  getBinary(key: K): Buffer | undefined {
    return this.#read(key, (buffer, start, end) => Buffer.from(buffer.subarray(start, end)))
  }

  getMany(keys: Iterable<K>): (V | undefined)[] {
    return Array.from(keys, (key) => this.get(key))
  }

  has(key: K): boolean {
    return this.#read(key, () => true) ?? false
  }

  /** Entries in key order, with the transaction's own changes up to now. */
  range(options: RangeOptions<K> = {}): Rows<Entry<V, K>> {
    const { keyspace } = this.#part()
    return this.#rows(options, false, (key, value) => ({
      key: keyspace.decodeWhole(key) as K,
      value: keyspace.values.decode(value, 0, value.length) as V,
    }))
  }

  keys(options: RangeOptions<K> = {}): Rows<K> {
    const { keyspace } = this.#part()
    return this.#rows(options, true, (key) => keyspace.decodeWhole(key) as K)
  }

  values(options: RangeOptions<K> = {}): Rows<V> {
    const { keyspace } = this.#part()
    return this.#rows(options, false, (_key, value) => keyspace.values.decode(value, 0, value.length) as V)
  }

  count(options: RangeOptions<K> = {}): number {
    const { keyspace, overlay } = this.#part()
    if (overlay.size > 0) return this.keys(options).reduce((n) => n + 1, 0)
    const limit = checkLimit(options.limit)
    const offset = checkOffset(options.offset)
    const bounds = encodeBounds(keyspace, options)
    const count = countBetween(keyspace, bounds, this.#state.stateId)
    if (this.#state.snapshot) this.#state.rangeReads.push({ keyspace, bounds, count, last: undefined, done: true })
    return Math.min(Math.max(count - offset, 0), limit)
  }

  put(key: K, value: V, options: ExpiryOptions = {}): void {
    checkPutOptions(options, ['ttl', 'expiresAt'])
    const { keyspace, overlay } = this.#part()
    const expires = expiryOf(options, keyspace.ttlMs)
    if (expires !== undefined) expectExpiry(this.#state.core, expires)
    const whole = keyspace.encodeWhole(key)
    overlay.set(whole.toString('latin1'), { key: whole, value: keyspace.encodeValue(value), expires })
  }

  /** @returns whether there was an entry */
  remove(key: K): boolean {
    const there = this.has(key)
    const { keyspace, overlay } = this.#part()
    const whole = keyspace.encodeWhole(key)
    if (there) overlay.set(whole.toString('latin1'), { key: whole, value: undefined, expires: undefined })
    // Absent perhaps only by a remove that is not durable yet.
    else this.#state.reliesOnAbsence = true
    return there
  }

  /** As Table.incrementSync. */
  increment(key: K, by?: number, options?: ExpiryOptions): number
  increment(key: K, by: bigint, options?: ExpiryOptions): bigint
  increment(key: K, by: number | bigint = 1, options: ExpiryOptions = {}): number | bigint {
    const { keyspace, overlay } = this.#part()
    const before = this.get(key)
    const next = sumOf(before, by)
    let lives = options
    if (before !== undefined) {
      const own = overlay.get(keyspace.encodeWhole(key).toString('latin1'))
      const stored = keyspace.session.meta[Meta.Expires] ?? 0
      lives = keepingExpiry(own === undefined ? (stored === 0 ? undefined : stored) : own.expires)
    }
    this.put(key, next as V, lives)
    return next
  }

  /** A transaction in this one: what its callback throws takes back what it has changed, and nothing else. */
  transactionSync<T>(callback: (tx: Transaction<V, K>) => T): T {
    const { level, finish } = this.#nest()
    let succeeded = false
    try {
      const result = callback(new Transaction(this.#state, level, this.#given, this.#identity))
      if (result instanceof Promise) throw promiseInSync()
      level.assertAlone()
      succeeded = true
      return result
    } finally {
      finish(succeeded)
    }
  }

  /** As transactionSync; nothing else of this transaction may be used until it has ended. */
  async transaction<T>(callback: (tx: Transaction<V, K>) => Promise<T> | T): Promise<T> {
    const { level, finish } = this.#nest()
    let succeeded = false
    try {
      const result = await callback(new Transaction(this.#state, level, this.#given, this.#identity))
      level.assertAlone()
      succeeded = true
      return result
    } finally {
      finish(succeeded)
    }
  }

  #nest(): { level: Level; finish: (succeeded: boolean) => void } {
    this.#level.assertUsable()
    const outer = this.#level
    outer.nested = true
    const level = new Level(outer)
    const state = this.#state
    const marks = new Map([...state.parts.values()].map(({ overlay }) => [overlay, overlay.mark()]))
    const finish = (succeeded: boolean): void => {
      level.open = false
      outer.nested = false
      // One that outlived its outer one was rolled back with it.
      if (succeeded || outer.ended) return
      for (const { overlay } of state.parts.values()) overlay.rollback(marks.get(overlay) ?? 0)
    }
    return { level, finish }
  }

  #part(): Part {
    this.#level.assertUsable()
    this.#state.core.session.assertOpen()
    const part = this.#state.partOf(this.#given, this.#identity)
    // A namespace that the transaction has come to while it was nested.
    if (this.#level.parent !== undefined) part.overlay.mark()
    return part
  }

  #read<T>(key: K, take: (buffer: Buffer, start: number, end: number) => T): T | undefined {
    const { keyspace, overlay, reads } = this.#part()
    // With the version, and so with the time that increment looks for.
    if (overlay.size === 0 && this.#state.snapshot === undefined) return keyspace.read(key, 0, true, take)
    const name = keyspace.encodeWhole(key).toString('latin1')
    const own = overlay.get(name)
    if (own !== undefined) return takeOwn(own, take)
    const { meta } = keyspace.session
    let version = 0
    const value = keyspace.read(key, this.#state.stateId, true, (buffer, start, end) => {
      version = meta[Meta.Version] ?? 0
      return take(buffer, start, end)
    })
    if (this.#state.snapshot) reads.set(name, version)
    return value
  }

  #rows<T>(options: RangeOptions<K>, noValues: boolean, take: (key: Buffer, value: Buffer) => T): Rows<T> {
    const part = this.#part()
    const limit = checkLimit(options.limit)
    const offset = checkOffset(options.offset)
    const bounds = encodeBounds(part.keyspace, options)
    const names = part.overlay.namesBetween(inBounds(bounds), options.reverse === true)
    // What they are now, whatever the transaction does while the rows are read.
    const own = names.map((name) => [name, part.overlay.get(name)] as const)
    const merged = this.#merged(part.keyspace, bounds, own, options, noValues, take)
    const rows = new LazyRows(merged)
    if (offset === 0 && limit === Infinity) return rows
    return rows.drop(offset).take(limit)
  }

  *#merged<T>(
    keyspace: Keyspace,
    bounds: Bounds,
    own: readonly (readonly [string, PendingChange | undefined])[],
    options: RangeOptions<K>,
    noValues: boolean,
    take: (key: Buffer, value: Buffer) => T,
  ): Generator<T, undefined, undefined> {
    const snapshot = this.#state.stateId
    const read: RangeRead = { keyspace, bounds, count: 0, last: undefined, done: false }
    if (this.#state.snapshot) this.#state.rangeReads.push(read)
    const request = { keyspace, bounds, limit: Infinity, offset: 0, noValues, snapshot, signal: options.signal }
    const stored = new RangeIterator(request, (block, keyStart, keyEnd, valueStart, valueEnd) => ({
      key: Buffer.from(block.subarray(keyStart, keyEnd)),
      value: Buffer.from(block.subarray(valueStart, valueEnd)),
    }))
    const before = options.reverse === true ? (a: string, b: string) => a > b : (a: string, b: string) => a < b
    let at = 0
    const ownRow = function* (change: PendingChange | undefined): Generator<T, undefined, undefined> {
      if (change && isThere(change)) yield take(change.key, Buffer.from(change.value))
      return undefined
    }
    try {
      for (const { key, value } of stored) {
        read.count++
        read.last = key
        const name = key.toString('latin1')
        let mine = own[at]
        for (; mine !== undefined && before(mine[0], name); mine = own[++at]) yield* ownRow(mine[1])
        if (mine?.[0] === name) {
          at++
          yield* ownRow(mine[1])
        } else {
          yield take(key, value)
        }
      }
      read.done = true
      for (let mine = own[at]; mine !== undefined; mine = own[++at]) yield* ownRow(mine[1])
    } finally {
      stored.return()
    }
    return undefined
  }
}

/** Not removed, and its time has not passed. */
function isThere(own: PendingChange): own is PendingChange & { readonly value: Uint8Array } {
  return own.value !== undefined && (own.expires === undefined || own.expires > Date.now())
}

function takeOwn<T>(own: PendingChange, take: (buffer: Buffer, start: number, end: number) => T): T | undefined {
  if (!isThere(own)) return undefined
  const buffer = Buffer.from(own.value)
  return take(buffer, 0, buffer.length)
}

function inBounds({ low, high, flags }: Bounds): (name: string) => boolean {
  const [lowName, highName] = [low, high].map((bytes) => Buffer.from(bytes).toString('latin1')) as [string, string]
  return (name) =>
    (flags & RangeFlag.LowExclusive ? name > lowName : name >= lowName) &&
    (!(flags & RangeFlag.HasHigh) || (flags & RangeFlag.HighInclusive ? name <= highName : name < highName))
}

function promiseInSync(): TypeError {
  return new TypeError('The callback of transactionSync must not be asynchronous; use transaction')
}

/** With a store that other threads write as well. */
const syncRetries = 100

/**
 * Runs a synchronous transaction: nothing else can happen meanwhile. Durable on return. Where another handle has the store open it is
 * optimistic instead, and the callback is run again after a conflict.
 * @throws ERR_SEALOG_CONFLICT after 100 of them; what the callback throws, with everything rolled back; SealogError as writes do
 */
export function runTransactionSync<V, K, T>(
  core: Core,
  keyspace: Keyspace<V>,
  callback: (tx: Transaction<V, K>) => T,
): T {
  core.session.assertOpen()
  core.gate.assertOutside()
  const { engine, handle } = core.session
  for (let attempt = 0; ; attempt++) {
    const alone = engine.beginAlone(handle) === 1
    let committed: TransactionState['committed']
    try {
      const state = new TransactionState(core, !alone)
      const level = new Level()
      try {
        const result = core.gate.runSync(state, () => callback(new Transaction<V, K>(state, level, keyspace)))
        if (result instanceof Promise) throw promiseInSync()
        level.assertAlone()
        core.session.assertOpen()
        if (state.commit(0)) {
          committed = state.committed
          return result
        }
      } finally {
        level.open = false
        state.end()
      }
    } finally {
      if (alone) engine.endAlone(handle)
      // When others may write again: a subscriber too.
      if (committed) core.session.telling.committed(core.session, 'transaction', committed)
    }
    if (attempt >= syncRetries) throw conflict(core, attempt)
    // Those that conflict shall not meet again.
    if (attempt > 2) Atomics.wait(pause, 0, 0, Math.random() * Math.min(2 ** attempt, 16))
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4))

function conflict(core: Core, attempt: number): SealogError {
  return new SealogError(
    'ERR_SEALOG_CONFLICT',
    `What the transaction has read was changed meanwhile, ${attempt + 1} times; make it shorter, or give it more retries`,
    { path: core.session.path },
  )
}

/**
 * Runs an optimistic transaction (Kung and Robinson, ACM TODS 1981): it reads a snapshot, holds up nobody, and commits if nothing that
 * it has read was changed meanwhile, which is serializable; otherwise it is run again. Durable when the promise resolves.
 * @throws (rejects) what the callback throws, with everything rolled back; ERR_SEALOG_CONFLICT, ERR_SEALOG_ABORTED
 */
export async function runTransaction<V, K, T>(
  core: Core,
  keyspace: Keyspace<V>,
  callback: (tx: Transaction<V, K>) => Promise<T> | T,
  options: TransactionOptions,
): Promise<T> {
  checkPutOptions(options, ['retries', 'signal'])
  const { retries = 10, signal } = options
  checkSignal(signal)
  if (!(retries === Infinity || (Number.isSafeInteger(retries) && retries >= 0)))
    throw new RangeError("Option 'retries' must be a count, or Infinity")
  for (let attempt = 0; ; attempt++) {
    core.session.assertOpen()
    core.gate.assertOutside()
    assertNotAborted(signal, core)
    const state = new TransactionState(core, true)
    const level = new Level()
    try {
      const result = await core.gate.run(state, async () => callback(new Transaction<V, K>(state, level, keyspace)))
      level.assertAlone()
      level.open = false
      core.session.assertOpen()
      assertNotAborted(signal, core)
      if (state.commit(WriteFlag.Deferred)) {
        state.end()
        if (state.changed || state.reliesOnAbsence) await core.commits.join()
        return result
      }
    } finally {
      level.open = false
      state.end()
    }
    if (attempt >= retries) throw conflict(core, attempt)
    // Those that conflict shall not meet again.
    await wait(Math.random() * Math.min(2 ** attempt, 64))
  }
}

function assertNotAborted(signal: AbortSignal | undefined, core: Core): void {
  if (!signal?.aborted) return
  throw new SealogError('ERR_SEALOG_ABORTED', 'The transaction was aborted; nothing of it was written', {
    path: core.session.path,
    cause: signal.reason,
  })
}

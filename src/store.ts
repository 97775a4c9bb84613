import type { Writable } from 'node:stream'
import { type BackupOptions, type BackupReport, backupStore } from './backup.ts'
import { Catalogue, checkName } from './catalogue.ts'
import { ChangeFeed } from './change-feed.ts'
import { keyCodec, type Key } from './codec/keys.ts'
import { valueCodec, type ValueCodec } from './codec/values.ts'
import { Compaction, type CompactOptions, type CompactReport } from './compaction.ts'
import { assertExpires, type Core } from './core.ts'
import {
  checkpointChannel,
  commitsWanted,
  poisonChannel,
  publish,
  sealBrokenChannel,
  type SealBrokenMessage,
} from './diagnostics.ts'
import type { Domain, Engine, Handle, RegionInfo } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import { GroupCommit } from './group-commit.ts'
import { type GrowOptions, Growth } from './growth.ts'
import { Janitor } from './janitor.ts'
import { Keyspace } from './keyspace.ts'
import { layoutConstants } from './layout/constants.ts'
import type { LongWorkOptions } from './long-work.ts'
import { agreedEncoding, checkNamespaceOptions, type NamespaceOptions, recordOf } from './namespace-options.ts'
import { Namespace } from './namespace.ts'
import { NativeSession } from './native-session.ts'
import { tellRecovered } from './open-telling.ts'
import { resolveGrowth } from './options.ts'
import { levelOf, probedSeal } from './recovery/check-seal.ts'
import { whyWorse } from './recovery/judge-seal.ts'
import type { RecoveredStore, RecoveryReport, SealReport } from './recovery/recover.ts'
import { type SealLevel, sealLevels } from './recovery/report.ts'
import { refreshStore } from './recovery/refresh.ts'
import { SnapshotRef } from './snapshot-ref.ts'
import { Snapshot } from './snapshot.ts'
import { readStats, type StoreStats } from './stats.ts'
import { structureStore } from './structure-store.ts'
import { Table } from './table.ts'
import { runTransaction, runTransactionSync, type Transaction, type TransactionOptions } from './transaction.ts'
import { verifyStore, type VerifyReport } from './verify.ts'
import { WriteGate } from './write-gate.ts'

/** The seal as it is now, with how far prefaulting has come. */
export interface StoreSeal extends SealReport {
  /** Whether every page has a writable page table entry, so that no put faults. */
  readonly populated: boolean
}

const abandoned = new FinalizationRegistry<{ engine: Engine; handle: Handle }>(({ engine, handle }) => {
  engine.closeStore(handle)
})

/**
 * An open store: itself the default namespace, and all that belongs to the whole. What a completed write survives depends on
 * {@link Store.persistence}.
 */
export class Store<V = unknown, K = Key> extends Table<V, K> {
  readonly #core: Core
  readonly #keyspace: Keyspace<V>
  /** Those that were asked for, by name. */
  readonly #namespaces = new Map<string, Namespace<never, never>>()
  #recovered: RecoveredStore
  readonly #compaction: Compaction
  readonly #growth: Growth
  /** The level that the block map has had so far. */
  #sealLevel: SealLevel | undefined

  /** For open and openAsync. */
  constructor(engine: Engine, path: string, recovered: RecoveredStore) {
    const { handle, info, superblock, openedAtMs } = recovered
    const session = new NativeSession(engine, handle, path, openedAtMs)
    const commits = new GroupCommit(session)
    const catalogue = new Catalogue(session)
    const core: Core = {
      session,
      commits,
      catalogue,
      gate: new WriteGate(),
      feed: new ChangeFeed(),
      janitor: new Janitor(session, commits, catalogue),
      expires: (superblock.featuresIncompat & BigInt(layoutConstants.kFeatureExpiry)) !== 0n,
    }
    const values = valueCodec(recovered.encoding, structureStore(session, 0)) as ValueCodec<V>
    const keyspace = new Keyspace<V>(session, { keys: keyCodec(recovered.keys), values }, 0)
    super(core, keyspace)
    this.#core = core
    this.#keyspace = keyspace
    this.#recovered = recovered
    this.#compaction = new Compaction(session)
    this.#growth = new Growth(session)
    // What is used of the store keeps it open: a namespace, a snapshot, an iterator.
    abandoned.register(session, { engine, handle }, session)
    if (!info.readOnly) core.janitor.start()
    if (checkpointChannel.hasSubscribers && !info.readOnly) session.telling.opened(session, recovered.shared)
  }

  /** Of the store file. */
  get path(): string {
    return this.#core.session.path
  }

  get closed(): boolean {
    return this.#core.session.closed
  }

  /** The persistence domain, as detected: what a completed write survives. docs/durability.md has the table. */
  get persistence(): Domain {
    return this.#info.domain
  }

  /** Facts about the file and how it is mapped. */
  get info(): RegionInfo {
    const { session } = this.#core
    return session.closed ? { ...this.#info } : { ...this.#info, fileBytes: session.regionBytes() }
  }

  /** The state of the block map, as found at open, and of prefaulting, as it is now. */
  get seal(): StoreSeal {
    const populated = readStats(this.#core.session.engine, this.#core.session.handle)?.populate.complete === true
    if (sealBrokenChannel.hasSubscribers) this.#tellSeal()
    const best = this.#seal.enforced ? 'pinned' : 'populated'
    const seal = this.#sealNow()
    const level = populated && seal.level === 'sealed' ? best : seal.level
    return { ...seal, level, populated }
  }

  /** As found at open, or when the store has last grown. */
  #sealNow(): SealReport {
    const growth = this.#core.session.engine.growth(this.#core.session.handle)
    return typeof growth === 'number' || growth.seal === null
      ? this.#seal
      : { ...this.#seal, ...probedSeal(growth.seal) }
  }

  /** Tells whoever listens, if growth has found the block map worse than it was. */
  #tellSeal(): void {
    const { engine, handle, path } = this.#core.session
    const growth = engine.growth(handle)
    if (typeof growth === 'number' || growth.seal === null) return
    const from = (this.#sealLevel ??= sealLevels.find((level) => level === this.#seal.level) ?? 'sealed')
    const to = levelOf(growth.seal.level)
    const reasons = whyWorse(growth.seal, sealLevels.indexOf(from))
    if (reasons.length === 0 || to === from) return
    const message: SealBrokenMessage = { path, by: 'growth', from, to, reasons, verified: 'unverified' }
    if (publish(sealBrokenChannel, message)) this.#sealLevel = to
  }

  /** What opening the store found and did. */
  get recovery(): RecoveryReport {
    return { ...this.#recovered.recovery }
  }

  get #info(): RegionInfo {
    return this.#recovered.info
  }

  get #seal(): SealReport {
    return this.#recovered.seal
  }

  /**
   * Of a store that is open read-only: from now on it shows the newest state, which beside a writer in another process is its last
   * checkpoint, at most 0.1 s and the time of a checkpoint behind (docs/concurrency.md). Snapshots and iterators stay where they are.
   * Nothing happens where this process writes the store, nor within the callback of `view`.
   * @returns whether there was something newer
   * @throws SealogError ERR_SEALOG_CLOSED, and as open; the store stays as it was then
   */
  refresh(): boolean {
    this.#core.session.assertOpen()
    const newer = refreshStore(this.#core.session.engine, this.#recovered)
    if (newer === undefined) return false
    // The same as before is no news.
    const known = String(newer.brokenSeal?.reasons) === String(this.#recovered.brokenSeal?.reasons)
    this.#recovered = newer
    tellRecovered(known ? { ...newer, brokenSeal: undefined } : newer, 'refresh')
    return true
  }

  // --- namespaces, snapshots, transactions ------------------------------------------------------------------------------

  /**
   * A named part of the store, made if it is not there (unless the store is read-only). Its options are recorded; later they may be left
   * out, and must agree if they are given. The same object for the same name.
   * @throws TypeError for options that differ from the recorded ones; SealogError ERR_SEALOG_ABSENT in a read-only store
   */
  namespace<V2 = unknown, K2 = Key>(name: string, options: NamespaceOptions<V2> = {}): Namespace<V2, K2> {
    const { session, catalogue, gate } = this.#core
    session.assertOpen()
    checkNamespaceOptions(options)
    this.#namespaces.get(checkName(name))?.follow()
    const open = this.#namespaces.get(name)
    let current = open?.current ?? catalogue.find(name)
    if (current === undefined) {
      if (this.#info.readOnly) {
        const message = `There is no namespace '${name}'; open the store without readOnly to make it`
        throw new SealogError('ERR_SEALOG_ABSENT', message, { path: this.path })
      }
      gate.assertOutside()
      if (options.ttl !== undefined) assertExpires(this.#core)
      current = catalogue.create(name, recordOf(options))
    }
    const { record } = current
    const encoding = agreedEncoding(name, record, options)
    if (open !== undefined) return open
    const codecs = {
      keys: keyCodec(record.keys),
      values: valueCodec(encoding, structureStore(session, record.born)) as ValueCodec<V2>,
      ttlMs: record.ttlMs,
    }
    const keyspace = new Keyspace<V2>(session, codecs, record.id)
    const namespace = new Namespace<V2, K2>(this.#core, keyspace, name, current, () => this.#namespaces.delete(name))
    this.#namespaces.set(name, namespace as unknown as Namespace<never, never>)
    return namespace
  }

  /** The names of all namespaces but the default one, in order. */
  namespaces(): string[] {
    return this.#core.catalogue.names()
  }

  /** The store as it is now, to read from whatever is written meanwhile. In constant time. Release it. */
  snapshot(): Snapshot<V, K> {
    const ref = new SnapshotRef(this.#core.session)
    return new Snapshot<V, K>(this.#core, this.#keyspace, ref)
  }

  /** Runs a transaction; durable on return: {@link runTransactionSync}. */
  transactionSync<T>(callback: (tx: Transaction<V, K>) => T): T {
    return runTransactionSync(this.#core, this.#keyspace, callback)
  }

  /** Runs an optimistic transaction, again after a conflict; durable when the promise resolves: {@link runTransaction}. */
  transaction<T>(callback: (tx: Transaction<V, K>) => Promise<T> | T, options: TransactionOptions = {}): Promise<T> {
    return runTransaction(this.#core, this.#keyspace, callback, options)
  }

  // --- the store itself -------------------------------------------------------------------------------------------------

  /** Resolves when everything written so far is durable. */
  async flush(): Promise<void> {
    this.#core.session.assertOpen()
    await this.#core.commits.join()
  }

  /**
   * Moves what is alive out of every log segment in which something is dead, off the event loop; reads and writes go on. The cleaner
   * does what is needed by itself: this is for making room at a time of one's choice. The file stays as large as it is.
   * @throws SealogError (rejects) ERR_SEALOG_ABORTED, ERR_SEALOG_UNSUPPORTED (a store made before there was cleaning), as a put
   */
  async compact(options: CompactOptions = {}): Promise<CompactReport> {
    return await this.#compaction.run(options)
  }

  /**
   * The store gets `capacity` in all, bytes or as '4GiB', rounded up to whole segments, while reads and writes go on. A second call waits
   * for the first; what it has already is no change. A crash at any point leaves the old size or the new one. Aborted by `close`.
   * @returns its size in bytes
   * @throws TypeError, RangeError (less than it has); SealogError: ERR_SEALOG_NO_SPACE, _CAPACITY, _ABORTED, _READONLY, _CLOSED, _IO. The
   *   store is as before, but for _IO with _POISONED behind it
   */
  async grow(capacity: number | string, options: GrowOptions = {}): Promise<number> {
    const capacityBytes = resolveGrowth(capacity, options)
    this.#core.session.assertOpen()
    const bytes = await this.#growth.grow(capacityBytes, options)
    if (sealBrokenChannel.hasSubscribers && !this.closed) this.#tellSeal()
    return bytes
  }

  /**
   * Copies the store, as it is at this call, while writing goes on: to a file `path.sealog` that opens by itself, with the same capacity,
   * or to a Writable, which is ended: a store file that ends behind the last segment in use, for `sealog restore` or `restore`. A file gets its name
   * when it is complete and durable; if it fails or is aborted nothing is left. Deferred writes are made durable first.
   * @throws SealogError ERR_SEALOG_EXISTS, _ABORTED, _NO_SPACE, _PERMISSION, _IO, _CLOSED, _POISONED, _MEDIA; the stream's own errors
   */
  async backup(target: string | Writable, options: BackupOptions = {}): Promise<BackupReport> {
    return await backupStore(this.#core.session, target, options)
  }

  /**
   * Checks everything in the store as it is at this call, while writing goes on: every checksum, order, count and table, and that nothing is
   * in use that nothing reaches. What is wrong is listed, not thrown. Deferred writes are made durable first.
   * @throws SealogError ERR_SEALOG_ABORTED, _CLOSED, _POISONED
   */
  async verify(options: LongWorkOptions = {}): Promise<VerifyReport> {
    return await verifyStore(this.#core, this.#keyspace.keys, options)
  }

  /** Figures since open; docs/performance.md says how to read them. */
  stats(): StoreStats {
    this.#core.session.assertOpen()
    const stats = readStats(this.#core.session.engine, this.#core.session.handle)
    if (stats === undefined) throw this.#core.session.failure(-Status.Closed)
    return stats
  }

  /**
   * Ends the store: what was written is durable, and the next open has nothing to replay. Closing twice is no error.
   * @throws SealogError if the last writes could not be made durable; the store is closed all the same
   */
  close(): void {
    const session = this.#core.session
    const figures = checkpointChannel.hasSubscribers && !session.closed ? session.telling.closing(session) : undefined
    if (session.closed) return
    const committed = commitsWanted() ? this.#core.commits.closing() : undefined
    session.markClosed()
    abandoned.unregister(session)
    this.#core.janitor.stop()
    const answer = session.engine.closeStore(session.handle, figures)
    const failure = answer < 0 ? session.engine.lastError() : null
    const error = answer < 0 ? errorFromStatus(-answer, failure, { path: session.path }) : undefined
    this.#core.commits.close(error)
    this.#core.feed.close()
    if (error) {
      if (poisonChannel.hasSubscribers) session.telling.notClosed(error)
      throw error
    }
    committed?.()
    if (figures) session.telling.closed(session, figures)
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
}

/**
 * The shape of the addon, call by call. docs/boundary.md says what each does; a result `>= 0` is the answer and `< 0` is
 * `-Status`. Only types here: binding.ts loads the thing itself.
 */
import type { Failure } from './status.ts'

/** {slot, generation}: never an address. A closed or made-up one answers `-Status.Closed`. */
export type Handle = number

/** A string, where the native side may take it as it is, or the number of key bytes at the start of the write buffer. */
export type KeyArgument = string | number

export type Domain = 'pmem' | 'disk' | 'os' | 'memory'
export type FlushMethod = '' | 'clwb' | 'clflushopt' | 'clflush' | 'nt'

export const DurabilityCode = { sync: 0, relaxed: 1 } as const
export const DomainCode = { any: 0, memory: 1, os: 2, disk: 3, pmem: 4 } as const
export const KeyCodecCode = { ordered: 1, utf8: 2, binary: 3 } as const
export const ValueCodecCode = { msgpack: 1, json: 2, string: 3, binary: 4, custom: 255 } as const

export const WriteFlag = { Deferred: 1 } as const
export const RangeFlag = { Reverse: 1, LowExclusive: 2, HighInclusive: 4, NoValues: 8, HasHigh: 16 } as const
export const BatchOp = { Put: 1, Del: 2, PutExpiring: 3, Check: 4, CheckRange: 5 } as const
/** Which keys a call is about, where not those of a namespace: 4 * id + key codec. */
export const Space = { User: 0, System: 1 } as const

export interface NativeCreateOptions {
  readonly capacityBytes: number
  readonly segmentBytes: number
  /** Segments that the table has room for; 0 = default. */
  readonly tableCapacity: number
  readonly durability: number
  readonly requireDomain: number
  readonly keyCodec: number
  readonly valueCodec: number
  readonly flush: FlushMethod
  /** [0] bytes done, [1] bytes in all, [2] set to 1 by JavaScript to abort. */
  readonly progress: BigInt64Array
}

export interface NativeOpenOptions {
  readonly readOnly: boolean
  readonly durability: number
  readonly requireDomain: number
  readonly flush: FlushMethod
  /** With readOnly: a writer in another process is no obstacle. */
  readonly besideWriter?: boolean
  /** What this process has open already is opened once more, by itself. */
  readonly unshared?: boolean
  /** For salvage, with readOnly: what is no store any more, too. */
  readonly anyContent?: boolean
  /** Addresses to reserve, where that is more than what is reserved anyway. */
  readonly reserveBytes: number
  /** While another thread opens or closes the store: waits for that, instead of answering -Status.Opening. */
  readonly wait?: boolean
}

/** What the headers of log segments say of a store without superblocks. */
export interface StoreGuess {
  readonly segmentBytes: number
  readonly storeSeed: number
  /** How many of them agree. */
  readonly headers: number
}

export interface NativeGrowthOptions {
  /** Bytes that the store grows by when it is getting full; 0: it does not. */
  readonly stepBytes: number
  readonly maxBytes: number
  /** Of the newest valid seal record; 0: none. */
  readonly sealSequence: number
}

/** A process with a lock on a file. */
export interface LockHolder {
  readonly pid: number
  /** Its name, as /proc/PID/comm has it; '' where it cannot be read. */
  readonly command: string
  /** A writer's lock; a reader's otherwise. */
  readonly exclusive: boolean
}

/** What has become of a store's size since it was opened. */
export interface GrowthReport {
  readonly bytes: number
  /** What it may have until it is opened again. */
  readonly bytesMax: number
  /** How often it has grown. */
  readonly count: number
  readonly running: boolean
  /** The block map, the last time. */
  readonly seal: SealProbe | null
  /** Why it could not grow by itself, the last time that it tried. */
  readonly failure: Failure | null
}

export interface RegionInfo {
  readonly path: string
  readonly fileBytes: number
  readonly domain: Domain
  readonly mapSync: boolean
  readonly dax: boolean
  /** How lines are written back, e.g. 'clwb'. */
  readonly flush: string
  readonly eadr: boolean
  readonly fsName: string
  /** 16 bytes, zeros where unknown. */
  readonly fsUuid: Uint8Array
  readonly device: number
  readonly inode: number
  readonly blockBytes: number
  readonly readOnly: boolean
  /** A writer in another process had it when it was opened. */
  readonly besideWriter: boolean
}

/** What the block map is now. */
export interface SealProbe {
  readonly method: 'fiemap' | 'blocks' | 'none'
  /** 0 sparse, 1 allocated, 2 sealed. */
  readonly level: number
  readonly extents: number
  /** The 64-bit digest in two halves of 32 bits. */
  readonly digestHi: number
  readonly digestLo: number
  readonly alignedBytes: number
  readonly unwrittenBytes: number
  readonly sharedBytes: number
  readonly holeBytes: number
  readonly otherBytes: number
  readonly device: number
  readonly inode: number
  readonly generation: number
  readonly immutable: boolean
}

/** A valid frame behind the place where replay stopped. */
export interface LaterFrame {
  readonly segment: number
  readonly offset: number
  readonly lsn: number
  /** How many frames, this one included, were not known to be durable when it was written. */
  readonly window: number
}

export interface ReplayResult {
  readonly answer: number
  readonly frames: number
  readonly records: number
  readonly bytes: number
  readonly lastLsn: number
  /** Where the first invalid frame is: segment, and bytes into it. */
  readonly segment: number
  readonly offset: number
  /** Records of an unfinished transaction that were left out. */
  readonly pending: number
  readonly later: LaterFrame | null
}

export interface ServeOptions {
  /** 1 after an unclean end: no frame left over from it can then be the expected one. */
  readonly lsnJump: 0 | 1
  readonly populate: boolean
  /** Of a reader beside a writer: the log behind the checkpoint is not replayed. */
  readonly asCheckpointed?: boolean
}

/** How work on another thread ended. */
export interface NativeResult {
  readonly answer: number
  readonly error: Failure | null
  /** Of a salvage that succeeded: JSON. */
  readonly report?: string
}

/** Things that native keeps for as long as JavaScript holds them. */
declare const held: unique symbol
export interface NativeImage {
  readonly [held]: 'image'
}
export interface NativeImageFile {
  readonly [held]: 'file'
}
export interface NativeCopier {
  readonly [held]: 'copier'
}
export interface NativeVerifier {
  readonly [held]: 'verifier'
}

export interface NativeProblem {
  readonly kind: string
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly detail: string
  readonly tree: number
  readonly key?: Buffer
}

export interface NativeVerifyReport {
  readonly entries: number
  readonly nodes: number
  readonly records: number
  readonly bytes: number
  readonly bytesExpected: number
  readonly problemCount: number
  readonly problems: readonly NativeProblem[]
}

/** Everything the addon exports. Hot calls are called as they are, without a wrapper. */
export interface Native {
  layout(): Record<string, number>
  lastError(): Failure | null

  createStore(path: string, options: NativeCreateOptions): number
  createStoreAsync(path: string, options: NativeCreateOptions): Promise<NativeResult>
  openRegion(path: string, options: NativeOpenOptions): Handle
  regionInfo(handle: Handle): RegionInfo | number
  readRegion(handle: Handle, offset: number, buffer: Uint8Array): number
  /** A reader's: what belongs to this checkpoint stays until it is closed, if it is the newest one, or was the one before, afterwards. */
  pinCheckpoint(handle: Handle, sequence: number): number
  /** 0: of a writer. */
  pinnedCheckpoint(handle: Handle): number
  /** 1: another handle, of whatever process, has the file open for writing. */
  hasWriter(handle: Handle): number
  /** A reader's, once it has pinned a checkpoint: a writer may come. */
  unlockRegion(handle: Handle): number
  probeSeal(handle: Handle): SealProbe | number
  repairSeal(handle: Handle, uuid: Uint8Array, sequence: number): number
  enforceSeal(handle: Handle): number
  doctor(directory: string): Record<string, unknown> | number
  /** null: not found. Goes through /proc, for 100 ms at most. */
  lockHolder(path: string): LockHolder | null
  closeRegion(handle: Handle): number

  startStore(handle: Handle, plan: Uint8Array): number
  replay(handle: Handle): ReplayResult | number
  serve(handle: Handle, options: ServeOptions): number
  /** Of a store that is served: others that open the file join it from now on, and get `facts`. */
  shareStore(handle: Handle, facts: Uint8Array): number
  /** What the opener of a store that this handle has joined has said; null: this handle is to open it itself. */
  sharedFacts(handle: Handle): Uint8Array | null | number
  /** A number that changes with each change of the system's tree, by whatever handle. */
  catalogueChanges(handle: Handle): number
  /** 1: no other handle has the store open, nor gets it before endAlone; 0: others may write. */
  beginAlone(handle: Handle): number
  endAlone(handle: Handle): number
  /** `handle` goes on with the newer state that `from` has, which is closed. 0: not while a view is looked at. */
  replaceStore(handle: Handle, from: Handle): number
  setBuffers(handle: Handle, write: Uint8Array, read: Uint8Array, meta: Float64Array): number
  checkpoint(handle: Handle): number
  storeStats(handle: Handle, out: Float64Array): number
  storeFailure(handle: Handle): Failure | number
  /** @param figures gets the last ones, as storeStats */
  closeStore(handle: Handle, figures?: Float64Array): number
  releaseSnapshot(handle: Handle, id: number): number
  settleStore(handle: Handle, currentSuperblock: 0 | 1): number
  setGrowth(handle: Handle, options: NativeGrowthOptions): number
  growStore(handle: Handle, capacityBytes: number, progress: BigInt64Array): Promise<NativeResult> | number
  growth(handle: Handle): GrowthReport | number

  put(handle: Handle, key: KeyArgument, start: number, end: number, flags: number, space: number): number
  putValue(handle: Handle, key: KeyArgument, value: Uint8Array, flags: number, space: number): number
  remove(handle: Handle, key: KeyArgument, flags: number, space: number): number
  get(handle: Handle, key: KeyArgument, offset: number, space: number, snapshot: number): number
  getInto(handle: Handle, key: KeyArgument, buffer: Uint8Array, space: number, snapshot: number): number
  getEntry(handle: Handle, key: KeyArgument, offset: number, space: number, snapshot: number): number
  getMany(
    handle: Handle,
    keys: Uint8Array,
    count: number,
    out: Uint8Array,
    offset: number,
    answers: Uint8Array,
    space: number,
    snapshot: number,
  ): number
  has(handle: Handle, key: KeyArgument, space: number, snapshot: number): number
  batch(handle: Handle, ops: Uint8Array, bytes: number, count: number, flags: number): number
  commit(handle: Handle): number
  commitAsync(handle: Handle, callback: (answer: number) => void): number
  compact(handle: Handle): Promise<NativeResult> | number
  stopCompacting(handle: Handle): number
  rangeFill(
    handle: Handle,
    snapshot: number,
    lowBytes: number,
    highBytes: number,
    flags: number,
    limit: number,
    out: Uint8Array,
    space: number,
    skip: number,
  ): number
  count(handle: Handle, lowBytes: number, highBytes: number, flags: number, space: number, snapshot: number): number
  eraseRange(handle: Handle, lowBytes: number, highBytes: number, flags: number, limit: number, space: number): number
  sweep(handle: Handle, unixMs: number, limit: number, flags: number): number
  openSnapshot(handle: Handle): number

  /** Closes `source`, a region opened with anyContent, whatever happens. */
  salvageAsync(source: Handle, out: Handle, plan: Uint8Array, progress: BigInt64Array): Promise<NativeResult> | number
  /** null: nothing can be told. */
  guessStore(handle: Handle): StoreGuess | number | null
  /** Renames a store that nobody has open, durably; refuses a name that is taken. */
  publishStore(from: string, to: string): number
  pieceBytes(handle: Handle): number
  beginValue(handle: Handle, key: KeyArgument, space: number): number
  appendValue(handle: Handle, id: number, piece: Uint8Array): number
  finishValue(handle: Handle, id: number, expires: number, expected: number, flags: number): number
  abortValue(handle: Handle, id: number): number
  getPart(handle: Handle, key: KeyArgument, buffer: Uint8Array, space: number, snapshot: number, offset: number): number
  openView(handle: Handle, key: KeyArgument, space: number, snapshot: number): Uint8Array | number
  closeView(handle: Handle): number
  viewFrom(handle: Handle, bytes: number): number
  pinState(handle: Handle): number
  unpin(handle: Handle, pin: number): number
  makeImage(handle: Handle, pin: number): NativeImage | number
  openImage(image: NativeImage): Promise<NativeResult> | number
  readImage(image: NativeImage, offset: number, buffer: Uint8Array): Promise<NativeResult> | number
  makeImageFile(): NativeImageFile | number
  createImageFile(file: NativeImageFile, path: string, bytes: number, sealed: boolean): Promise<NativeResult> | number
  writeImageFile(file: NativeImageFile, offset: number, bytes: Uint8Array): Promise<NativeResult> | number
  syncImageFile(file: NativeImageFile): Promise<NativeResult> | number
  publishImageFile(file: NativeImageFile): Promise<NativeResult> | number
  imageFilePath(file: NativeImageFile): string | number
  dropImageFile(file: NativeImageFile): number
  makeCopier(handle: Handle, pin: number): NativeCopier | number
  stepCopier(copier: NativeCopier, into: Handle): Promise<NativeResult> | number
  makeVerifier(handle: Handle, pin: number): NativeVerifier | number
  stepVerifier(verifier: NativeVerifier): Promise<NativeResult> | number
  verifierReport(verifier: NativeVerifier): NativeVerifyReport | number
}

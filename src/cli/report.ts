/**
 * What `sealog doctor --json` prints: one {@link DoctorReport}. Names and meanings are stable; new ones may be added. Only what was
 * tried or read is in it: `bytes` are bytes, null is unknown or none.
 */
import type { SealogErrorCode, Store } from '../index.ts'

export type Domain = Store['persistence']
/** What the probe file reached. docs/durability.md explains the levels. */
export type ProbeLevel = 'sparse' | 'allocated' | 'sealed'

export interface DoctorReport extends DirectoryReport {
  /** Version of this package. */
  readonly sealog: string
  readonly directory: string
  /** null: the path named a directory. */
  readonly store: StoreReport | null
  readonly advice: readonly Advice[]
}

export interface DirectoryReport {
  readonly fileSystem: {
    readonly name: string
    readonly local: boolean
    readonly mountOptions: readonly string[]
    readonly blockBytes: number
    /** For this user; null: no limit is known. */
    readonly freeBytes: number | null
    /** Whether it overwrites blocks where they are, so that a seal can last. */
    readonly overwritesInPlace: boolean
    readonly fallocate: boolean
    /** Whether a write lease is granted to the only opener. */
    readonly writeLease: boolean
  }
  readonly kernel: string
  readonly dax: {
    /** STATX_ATTR_DAX: says nothing about MAP_SYNC. */
    readonly attribute: boolean
    readonly mapSync: boolean
    /** Name of the errno that mmap refused with; null if it was granted. */
    readonly mapSyncError: string | null
  }
  readonly cpu: {
    /** The best way to write a line back: 'clwb', 'clflushopt', 'clflush', 'cvap', or 'none' with eADR. */
    readonly flush: string
    readonly eadr: boolean
  }
  /** A file that was allocated and sealed here. */
  readonly probe: { readonly bytes: number; readonly afterFallocate: BlockMap; readonly afterSealing: BlockMap }
  /** The highest seal level that was reached. */
  readonly seal: ProbeLevel
  /** The persistence domain with each `durability`. */
  readonly persistence: { readonly sync: Domain; readonly relaxed: Domain }
}

export interface BlockMap {
  /** 'fiemap' proves the level; 'blocks' only that there are no holes; 'none' nothing. */
  readonly method: 'fiemap' | 'blocks' | 'none'
  readonly level: ProbeLevel
  readonly extents: number
  readonly unwrittenBytes: number
  /** In 2 MiB pieces that are aligned physically. */
  readonly alignedBytes: number
  readonly sharedBytes: number
  readonly holeBytes: number
  readonly otherBytes: number
}

/** The store that the path named, opened for reading. */
export type StoreReport = ReadableStore | AbsentStore | RefusedStore

export interface ReadableStore {
  readonly path: string
  /** 'clean': closed properly. 'unclean': the next open for writing recovers it. */
  readonly state: 'clean' | 'unclean'
  readonly bytes: number
  readonly entries: number
  /** With durability 'sync'. */
  readonly persistence: Domain
  readonly seal: {
    readonly level: Store['seal']['level']
    readonly verified: Store['seal']['verified']
    readonly reasons: readonly string[]
    readonly extents: number
    readonly alignedBytes: number
  }
  /** What the next open replays. */
  readonly recordsToReplay: number
  readonly lsn: number
  readonly checkpoint: number
  /** Damaged pieces of META that have been passed over. */
  readonly findings: readonly string[]
}

export interface AbsentStore {
  readonly path: string
  readonly state: 'absent'
}

/** 'in-use': another process, or this one, has it open. 'refused': it cannot be opened, and `message` says why. */
export interface RefusedStore {
  readonly path: string
  readonly state: 'in-use' | 'refused'
  readonly code: SealogErrorCode
  readonly message: string
}

export interface Advice {
  /** Stable, for programs. */
  readonly id: AdviceId
  /** 'warning': something may be lost that one might think is kept. 'improve': more can be had. 'note': good to know. */
  readonly kind: 'note' | 'improve' | 'warning'
  readonly text: string
}

export type AdviceId =
  | 'pmem'
  | 'memory-not-durable'
  | 'disk-no-dax'
  | 'disk-dax-no-map-sync'
  | 'disk-block-bytes'
  | 'relaxed'
  | 'not-local'
  | 'overlay'
  | 'never-sealed'
  | 'no-block-map'
  | 'not-sealed'
  | 'xfs-alignment'
  | 'alignment'
  | 'no-clwb'
  | 'eadr'
  | 'no-fallocate'
  | 'free-space'
  | 'store-unclean'
  | 'store-seal'
  | 'store-findings'

/** What opening the store found and did. */
export interface RecoveryReport {
  /** 'created': a new store. 'clean': it was closed properly. 'recovered': the log was replayed. */
  readonly outcome: 'created' | 'clean' | 'recovered'
  readonly framesReplayed: number
  /** Records read from the log: puts and removes, pieces of large values, and the store's own. */
  readonly recordsReplayed: number
  readonly bytesReplayed: number
  /** Where the log ended without having been closed, in bytes from the start of the file; null otherwise. */
  readonly tornAt: number | null
  /** Records of a transaction that was never completed, left out. */
  readonly discardedRecords: number
  /** Whether a damaged piece of META was replaced by its other copy; `findings` says which. */
  readonly usedFallback: boolean
  /** Also: growth that was cut off, and has been taken back or completed. */
  readonly findings: readonly string[]
  /** The last commit that is in the store. */
  readonly lsn: number
  /** Sequence of the checkpoint that recovery started from. */
  readonly checkpoint: number
  /** From opening the file to being ready. */
  readonly durationMs: number
}

/** What is found of a block map by looking, the least first. */
export const sealLevels = ['sparse', 'allocated', 'sealed'] as const
export type SealLevel = (typeof sealLevels)[number]

/** A block map that was found worse than it had been recorded. */
export interface BrokenSeal {
  /** As it was recorded; null: there was no valid record. */
  readonly from: SealLevel | null
  /** As it was found, before anything was done about it. */
  readonly to: SealLevel
  readonly reasons: readonly string[]
}

/** What is known about the block map of the store file. docs/durability.md explains the levels. */
export interface SealReport {
  readonly level: 'sparse' | 'allocated' | 'sealed' | 'populated' | 'pinned'
  /** Whether the kernel refuses changes to the block map; otherwise they are observed. */
  readonly enforced: boolean
  readonly extents: number
  /** In 2 MiB pieces that are aligned physically. */
  readonly alignedBytes: number
  /** How the level was found: 'none' and 'blocks' prove less than 'fiemap'. */
  readonly method: 'fiemap' | 'blocks' | 'none'
  /** Of the extents, 16 hexadecimal digits. */
  readonly digest: string
  /**
   * 'unchanged' since it was recorded; 'resealed': blocks had moved, the new map was recorded; 'repaired': the map was mended
   * first; 'unverified': it differs, or could not be read, and nothing was done (read-only, or the repair failed).
   */
  readonly verified: 'unchanged' | 'resealed' | 'repaired' | 'unverified'
  /** Why it is not 'unchanged'. */
  readonly reasons: readonly string[]
}

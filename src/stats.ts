import type { Engine, Handle } from './engine/engine.ts'
import { type NativeStats, statNames } from './engine/stats.ts'
import { layoutConstants } from './layout/constants.ts'

/** Figures of an open store. Counters count from open; bytes are bytes. */
export interface StoreStats {
  /** What durability has cost: the writer and the checkpointer together. */
  readonly persist: {
    /** Drains: SFENCE, or a write that the device confirmed. */
    readonly fences: number
    /** Cache lines written back, or stored past the cache. */
    readonly lines: number
    readonly bytes: number
    /** Waits for the device: 0 in the domains pmem and memory. */
    readonly syncs: number
    /** The part of `fences` and `lines` that checkpoints made. */
    readonly checkpointFences: number
    readonly checkpointLines: number
  }
  readonly entries: number
  /** Commit sequence number of the last commit, and of the last one known to be durable. */
  readonly lsn: number
  readonly durableLsn: number
  readonly log: {
    /** Appended, by writes and by the cleaner. */
    readonly bytes: number
    readonly frames: number
    /** Of records that the index refers to. */
    readonly liveBytes: number
    /** What the next open would replay now. */
    readonly tailBytes: number
  }
  readonly space: {
    readonly segments: number
    readonly free: number
    /** Free as soon as two checkpoints have passed, and no snapshot holds them. */
    readonly retired: number
    readonly log: number
    readonly leaf: number
    readonly inner: number
    /** Share of segments in use, 0 to 1. */
    readonly fill: number
  }
  readonly cleaning: {
    /** Whether the store's format has it: stores made before it was there are never cleaned. */
    readonly available: boolean
    /** Segments that were emptied. */
    readonly segments: number
    readonly movedRecords: number
    /** Of these, as they count in `log.liveBytes`. */
    readonly movedBytes: number
    /** The part of `log.bytes` that the cleaner wrote. */
    readonly logBytes: number
  }
  /** Bytes written for each byte that writes have appended to the log: by the log itself with the cleaner, and by nodes of the index. */
  readonly writeAmplification: { readonly log: number; readonly index: number }
  readonly index: {
    readonly height: number
    readonly leaves: number
    readonly inners: number
    readonly nodesMade: number
    readonly nodesCopied: number
  }
  readonly checkpoints: {
    /** Since open. */
    readonly count: number
    readonly nodes: number
    /** In cache lines written back, and how long writing them took: all of them together. */
    readonly bytes: number
    readonly durationMs: number
    /** Of the newest durable one; it counts over the store's whole life. */
    readonly sequence: number
  }
  /** Retired nodes and segments that wait for a checkpoint or a snapshot; the oldest epoch that is pinned. */
  readonly pins: {
    readonly waiting: number
    readonly oldest: number
    readonly snapshots: number
    readonly epoch: number
    /** The snapshot, or the iterator's, that has been there longest: its commit, and for how long. 0: none. */
    readonly oldestSnapshot: { readonly version: number; readonly ageMs: number }
    /**
     * Older checkpoints that reader processes still show, as found with the last checkpoint or look for readers, each second: how many,
     * and the sequence of the oldest. 0: none. The newest two are kept anyway, and not counted.
     */
    readonly readers: { readonly checkpoints: number; readonly oldest: number }
  }
  /** Prefaulting: how far it has come, in the domains where it is done. */
  readonly populate: { readonly bytes: number; readonly complete: boolean }
  /** Page faults of the whole process since it began. */
  readonly faults: { readonly minor: number; readonly major: number }
}

/** Asks native for its figures; undefined if the handle is closed. */
export function readStats(engine: Engine, handle: Handle): StoreStats | undefined {
  const numbers = new Float64Array(statNames.length)
  if (engine.storeStats(handle, numbers) < 0) return undefined
  const n = Object.fromEntries(statNames.map((name, i) => [name, numbers[i] ?? 0])) as NativeStats
  return {
    persist: {
      fences: n.fences,
      lines: n.lines,
      bytes: n.bytes,
      syncs: n.syncs,
      checkpointFences: n.checkpointFences,
      checkpointLines: n.checkpointLines,
    },
    entries: n.entries,
    lsn: n.lsn,
    durableLsn: n.durableLsn,
    log: { bytes: n.logBytes, frames: n.logFrames, liveBytes: n.liveBytes, tailBytes: n.tailBytes },
    space: {
      segments: n.segments,
      free: n.freeSegments,
      retired: n.retiredSegments,
      log: n.logSegments,
      leaf: n.leafSegments,
      inner: n.innerSegments,
      fill: 1 - n.freeSegments / n.segments,
    },
    cleaning: {
      available: n.cleanable === 1,
      segments: n.cleanedSegments,
      movedRecords: n.cleanedRecords,
      movedBytes: n.cleanedBytes,
      logBytes: n.coldBytes,
    },
    writeAmplification: {
      log: n.logBytes / Math.max(n.logBytes - n.coldBytes, 1),
      index: (n.checkpointLines * layoutConstants.kLineBytes) / Math.max(n.logBytes - n.coldBytes, 1),
    },
    index: {
      height: n.treeHeight,
      leaves: n.leaves,
      inners: n.inners,
      nodesMade: n.nodesMade,
      nodesCopied: n.nodesCopied,
    },
    checkpoints: {
      count: n.checkpoints,
      nodes: n.checkpointNodes,
      bytes: n.checkpointBytes,
      durationMs: n.checkpointMs,
      sequence: n.checkpointSequence,
    },
    pins: {
      waiting: n.waiting,
      oldest: n.oldestPin,
      snapshots: n.snapshots,
      epoch: n.epoch,
      oldestSnapshot: { version: n.oldestSnapshotLsn, ageMs: n.oldestSnapshotMs },
      readers: { checkpoints: n.readerPins, oldest: n.oldestReaderPin },
    },
    populate: { bytes: n.populatedBytes, complete: n.populateComplete === 1 },
    faults: { minor: n.minorFaults, major: n.majorFaults },
  }
}

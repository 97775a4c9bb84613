import type { ReplayResult } from '../engine/engine.ts'
import type { CheckpointSlot } from '../layout/checkpoint.ts'

/** How the log ended. */
export type LogEnd =
  /** Closed properly: everything is in the checkpoint. */
  | { readonly kind: 'clean' }
  /** The writer was stopped in mid-flight. What is missing had not been acknowledged. */
  | { readonly kind: 'torn'; readonly offset: number }
  /** A frame is unreadable that a later one knew to be durable: data that was acknowledged is gone. */
  | { readonly kind: 'damaged'; readonly offset: number; readonly laterOffset: number; readonly laterLsn: number }

/**
 * Classifies the end of the log. A frame counts in `window` how many LSNs, its own included, were not known to be durable when it was
 * written; so a valid frame behind the first invalid one is either the rest of what was in flight, or proof of damage.
 * @param replay undefined where there is no log segment yet
 */
export function classifyLog(slot: CheckpointSlot, replay: ReplayResult | undefined, segmentBytes: number): LogEnd {
  if (replay === undefined) return slot.clean ? { kind: 'clean' } : { kind: 'torn', offset: 0 }
  const offset = replay.segment * segmentBytes + replay.offset
  const { later } = replay
  if (later && later.lsn - later.window > replay.lastLsn) {
    return { kind: 'damaged', offset, laterOffset: later.segment * segmentBytes + later.offset, laterLsn: later.lsn }
  }
  // A clean store whose next session was killed at once still has the clean checkpoint, and frames behind it.
  return slot.clean && replay.frames === 0 && later === null ? { kind: 'clean' } : { kind: 'torn', offset }
}

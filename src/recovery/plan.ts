import { Status } from '../engine/status.ts'
import type { CheckpointSlot, LogPosition } from '../layout/checkpoint.ts'
import { layoutConstants, SegmentType } from '../layout/constants.ts'
import { segmentHalfOffset, SegmentTable, tableTerm } from '../layout/segment-table.ts'
import type { Superblock } from '../layout/superblock.ts'
import { type MetaChoice, type Refusal, refuse } from './choose.ts'

/** The StorePlan buffer of docs/boundary.md. */
export const planVersion = 1
export const planHeaderBytes = 256
export const planEntryBytes = 32
export const PlanFlag = { ReadOnly: 1, Cleaning: 2 } as const

export interface PlanOptions {
  readonly checkpointBytes: number
  readonly readOnly: boolean
}

export interface Plan {
  readonly ok: true
  readonly buffer: Uint8Array
  readonly slot: CheckpointSlot
  /** What was wrong with a newer checkpoint, as clauses. */
  readonly findings: readonly string[]
}

/**
 * Plans the start of a store from its newest checkpoint whose segment table can be trusted.
 * @param table the segment table: 64 bytes for each segment
 */
export function planStore(choice: MetaChoice, table: Uint8Array, options: PlanOptions): Plan | Refusal {
  const findings: string[] = []
  let refusal: Refusal | undefined
  for (const slot of choice.slots) {
    const planned = planTable(choice, slot, table)
    if (planned.ok) {
      return {
        ok: true,
        buffer: encodePlan(choice.superblock, slot, planned, options),
        slot,
        findings,
      }
    }
    refusal ??= planned
    findings.push(`checkpoint ${slot.sequence} cannot be used: ${planned.detail}`)
  }
  return refusal ?? refuse(Status.Corrupt, 0, 'there is no checkpoint')
}

/** The segments of a checkpoint, as the plan has them, and the greatest epoch of any valid half, cut-off checkpoints included. */
interface PlannedTable {
  readonly ok: true
  readonly entries: Uint8Array
  readonly epochFloor: number
}

/**
 * All segments of the store, or why the table does not belong to this checkpoint.
 *
 * Invariant I-META-3: the current half is the valid one with the greatest epoch <= the slot's epoch. A half that is torn or newer belongs
 * to a checkpoint that did not complete; the table check tells if it was more than that.
 */
function planTable(choice: MetaChoice, slot: CheckpointSlot, bytes: Uint8Array): PlannedTable | Refusal {
  const { superblock, seed } = choice
  const table = new SegmentTable(bytes, seed)
  const entries = new Uint8Array(superblock.segmentCount * planEntryBytes)
  const view = new DataView(entries.buffer)
  const unmatched = [slot.hot, slot.cold].filter((cursor) => cursor !== undefined)
  let epochFloor = Math.max(...choice.slots.map((each) => each.epoch))
  let check = 0
  for (let i = 0; i < superblock.segmentCount; i++) {
    let current = -1
    let currentEpoch = -1
    let stale = 0
    for (let half = 0; half < 2; half++) {
      if (!table.read(i, half)) continue
      const { epoch } = table
      if (epoch > epochFloor) epochFloor = epoch
      if (epoch > slot.epoch) stale = 1
      else if (epoch > currentEpoch) {
        current = half
        currentEpoch = epoch
      }
    }
    // A segment that the checkpoint does not know yet is free: its entry stays zero.
    if (i >= slot.segmentCount) continue
    if (current < 0) return refuse(Status.Corrupt, segmentHalfOffset(i, 0), `segment ${i} has no valid entry for it`)
    table.read(i, current)
    const wrong = wrongWith(table, i, superblock)
    if (wrong !== undefined) {
      return refuse(Status.Corrupt, segmentHalfOffset(i, current === 0 ? 0 : 1), `segment ${i} ${wrong}`)
    }
    check ^= tableTerm(table.crc)
    const at = i * planEntryBytes
    view.setUint8(at, table.type)
    view.setUint8(at + 1, table.flags)
    view.setUint8(at + 2, current)
    view.setUint8(at + 3, stale)
    view.setUint32(at + 4, table.live, true)
    view.setUint32(at + 8, table.check, true)
    putU64(view, at + 16, table.sequence)
    putU64(view, at + 24, table.epoch)
    const cursor = unmatched.findIndex((each) => each.segment === i)
    if (cursor >= 0 && cursorMatches(unmatched[cursor], table)) unmatched.splice(cursor, 1)
  }
  if (check >>> 0 !== slot.tableCheck) {
    return refuse(Status.Corrupt, layoutConstants.kSegmentTableOffset, 'the segment table does not match it')
  }
  for (const cursor of unmatched) {
    return refuse(Status.Corrupt, segmentHalfOffset(cursor.segment, 0), 'its log cursor is not in that log segment')
  }
  return { ok: true, entries, epochFloor }
}

export function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

function wrongWith(segment: SegmentTable, index: number, superblock: Superblock): string | undefined {
  const isMeta = segment.type === SegmentType.Meta
  if (isMeta !== index < superblock.metaSegments) return isMeta ? 'cannot be META' : 'must be META'
  const segmentBytes = 2 ** superblock.segmentBytesLog2
  const liveMax =
    segment.type === SegmentType.Leaf
      ? segmentBytes / layoutConstants.kLeafBytes
      : segment.type === SegmentType.Inner
        ? segmentBytes / layoutConstants.kInnerBytes
        : segmentBytes
  return segment.live <= liveMax ? undefined : 'has more in use than it holds'
}

function cursorMatches(cursor: LogPosition | undefined, segment: SegmentTable): boolean {
  return segment.type === SegmentType.Log && segment.sequence === cursor?.logSequence && segment.check === cursor.seed
}

function encodePlan(
  superblock: Superblock,
  slot: CheckpointSlot,
  { entries, epochFloor }: PlannedTable,
  options: PlanOptions,
): Uint8Array {
  const buffer = new Uint8Array(planHeaderBytes + entries.length)
  const view = new DataView(buffer.buffer)
  const u32 = (at: number, value: number): void => {
    view.setUint32(at, value, true)
  }
  const u64 = (at: number, value: number): void => {
    putU64(view, at, value)
  }
  const cursor = (at: number, position: LogPosition | undefined): void => {
    u32(at, position?.segment ?? layoutConstants.kSegmentNone)
    u32(at + 4, position?.offset ?? 0)
    u64(at + 8, position?.logSequence ?? 0)
    u32(at + 16, position?.seed ?? 0)
  }

  u32(0, planVersion)
  const cleaning = (superblock.featuresIncompat & BigInt(layoutConstants.kFeatureCleaning)) !== 0n
  u32(4, (options.readOnly ? PlanFlag.ReadOnly : 0) | (cleaning ? PlanFlag.Cleaning : 0))
  buffer.set(superblock.uuid, 8)
  u32(24, superblock.segmentBytesLog2)
  u32(28, superblock.segmentCount)
  u32(32, superblock.metaSegments)
  u32(36, superblock.tableCapacity)
  u64(40, options.checkpointBytes)
  u64(48, slot.sequence)
  u64(56, slot.epoch)
  u64(64, slot.lsn)
  cursor(72, slot.hot)
  cursor(96, slot.cold)
  slot.roots.forEach((root, i) => {
    const ref = BigInt(root.index) | (BigInt(root.stamp) << BigInt(layoutConstants.kNodeRefIndexBits))
    view.setBigUint64(120 + i * 24, ref, true)
    u64(128 + i * 24, root.count)
  })
  u64(216, slot.liveBytes)
  u64(224, slot.nextLogSequence)
  u32(232, slot.flags)
  u32(236, superblock.keyCodec)
  u64(248, epochFloor)

  buffer.set(entries, planHeaderBytes)
  return buffer
}

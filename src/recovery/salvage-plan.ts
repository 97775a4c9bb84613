import { type CheckpointSlot, decodeCheckpointSlot, type LogPosition } from '../layout/checkpoint.ts'
import { layoutConstants, metaSegments, segmentCountMax, SegmentType } from '../layout/constants.ts'
import { storeSeed } from '../layout/crc32c.ts'
import { segmentHalfOffset, SegmentTable, tableTerm } from '../layout/segment-table.ts'
import { decodeSuperblock, type Superblock } from '../layout/superblock.ts'
import { putU64 } from './plan.ts'

/** The SalvagePlan buffer: native/store/salvage.h. */
export const salvagePlanVersion = 1
export const salvagePlanHeaderBytes = 184
export const salvageHalfBytes = 24

/** A piece of META that could not be used. */
export interface MetaFinding {
  readonly what: 'file' | 'superblock' | 'slot' | 'table'
  readonly where: number
  readonly detail: string
}

/** What native could tell of a store without superblocks. */
export interface StoreGuess {
  readonly segmentBytes: number
  readonly storeSeed: number
}

export interface SalvagePlan {
  readonly buffer: Uint8Array
  readonly segmentBytes: number
  /** Of the whole store, also where the file has fewer. */
  readonly regionBytes: number
  /** undefined: both are gone. */
  readonly superblock: Superblock | undefined
  /** The checkpoint that is used; undefined: neither holds. */
  readonly slot: CheckpointSlot | undefined
  readonly findings: readonly MetaFinding[]
}

const superblockOffsets = [layoutConstants['kSuperblockOffset.0'], layoutConstants['kSuperblockOffset.1']] as const
const slotOffsets = [layoutConstants['kCheckpointSlotOffset.0'], layoutConstants['kCheckpointSlotOffset.1']] as const

/** The newest superblock that holds, and what is wrong with the other. */
export function salvageSuperblock(meta: Uint8Array): {
  readonly superblock: Superblock | undefined
  readonly version: number | undefined
  readonly findings: readonly MetaFinding[]
} {
  const findings: MetaFinding[] = []
  let superblock: Superblock | undefined
  let version: number | undefined
  for (const [i, where] of superblockOffsets.entries()) {
    const decoded = decodeSuperblock(pieceOf(meta, where, layoutConstants.kSuperblockBytes), where)
    if (!decoded.ok) {
      if (decoded.reason === 'version') version = decoded.version
      findings.push({
        what: 'superblock',
        where,
        detail: `superblock ${'AB'.charAt(i)} does not hold (${decoded.reason})`,
      })
    } else if (superblock === undefined || decoded.value.sequence > superblock.sequence) superblock = decoded.value
  }
  return { superblock, version, findings }
}

/**
 * Plans a salvage: as much of META as holds, each piece for itself.
 * @param meta all of it, or as much as the file has; what could not be read is zero
 * @param found what {@link salvageSuperblock} gave
 * @param guess where both superblocks are gone
 * @returns undefined where there is neither
 */
export function planSalvage(
  meta: Uint8Array,
  fileBytes: number,
  { superblock, findings }: ReturnType<typeof salvageSuperblock>,
  guess: StoreGuess | undefined,
): SalvagePlan | undefined {
  const geometry = superblock ? geometryOf(superblock) : guess && guessGeometry(meta, fileBytes, guess)
  if (geometry === undefined) return undefined
  const all = [...findings]
  const regionBytes = geometry.segmentCount * 2 ** geometry.segmentBytesLog2
  if (fileBytes < regionBytes)
    all.push({ what: 'file', where: fileBytes, detail: `the file ends here, and the store had ${regionBytes} bytes` })
  const slot = chooseSlot(meta, geometry, all)
  const table = new SegmentTable(
    pieceOf(meta, layoutConstants.kSegmentTableOffset, geometry.segmentCount * layoutConstants.kSegmentEntryBytes),
    geometry.seed,
  )
  const buffer = new Uint8Array(salvagePlanHeaderBytes + geometry.segmentCount * 2 * salvageHalfBytes)
  encodeHeader(buffer, geometry, slot)
  encodeHalves(buffer, table, geometry, slot, all)
  return {
    buffer,
    segmentBytes: 2 ** geometry.segmentBytesLog2,
    regionBytes,
    superblock,
    slot,
    findings: all,
  }
}

interface Geometry {
  readonly seed: number
  readonly segmentBytesLog2: number
  readonly segmentCount: number
  readonly metaSegments: number
}

function geometryOf(superblock: Superblock): Geometry {
  return { ...superblock, seed: storeSeed(superblock.uuid) }
}

/** META is as long as its table says. */
function guessGeometry(meta: Uint8Array, fileBytes: number, guess: StoreGuess): Geometry | undefined {
  const segmentCount = Math.ceil(fileBytes / guess.segmentBytes)
  if (segmentCount < 2 || segmentCount > segmentCountMax) return undefined
  const table = new SegmentTable(pieceOf(meta, layoutConstants.kSegmentTableOffset, meta.length), guess.storeSeed)
  let count = metaSegments(guess.segmentBytes, segmentCount)
  const isMeta = (segment: number): boolean =>
    (table.read(segment, 0) && table.type === SegmentType.Meta) ||
    (table.read(segment, 1) && table.type === SegmentType.Meta)
  while (count < segmentCount - 1 && isMeta(count)) count++
  return { seed: guess.storeSeed, segmentBytesLog2: Math.log2(guess.segmentBytes), segmentCount, metaSegments: count }
}

function pieceOf(meta: Uint8Array, offset: number, bytes: number): Uint8Array {
  return meta.subarray(Math.min(offset, meta.length), Math.min(offset + bytes, meta.length))
}

/** The newest that holds, whatever the table says: salvage takes from it only what is checked by itself. */
function chooseSlot(meta: Uint8Array, geometry: Geometry, findings: MetaFinding[]): CheckpointSlot | undefined {
  let newest: CheckpointSlot | undefined
  for (const i of [0, 1] as const) {
    const where = slotOffsets[i]
    const bytes = pieceOf(meta, where, layoutConstants.kCheckpointSlotBytes)
    const decoded = decodeCheckpointSlot(bytes, i, geometry.seed)
    const fits = decoded.ok && cursorFits(decoded.value.hot, geometry)
    if (fits) {
      if (newest === undefined || decoded.value.sequence > newest.sequence) newest = decoded.value
    } else {
      const why = decoded.ok ? 'refers to what is outside the store' : `does not hold (${decoded.reason})`
      findings.push({ what: 'slot', where, detail: `checkpoint slot ${i} ${why}` })
    }
  }
  // A new store has written one only.
  return newest
}

function cursorFits(position: LogPosition | undefined, geometry: Geometry): boolean {
  return (
    position === undefined ||
    (position.segment >= geometry.metaSegments &&
      position.segment < geometry.segmentCount &&
      position.offset <= 2 ** geometry.segmentBytesLog2 - layoutConstants.kLineBytes)
  )
}

function encodeHeader(buffer: Uint8Array, geometry: Geometry, slot: CheckpointSlot | undefined): void {
  const view = new DataView(buffer.buffer)
  view.setUint32(0, salvagePlanVersion, true)
  view.setUint32(4, geometry.seed, true)
  view.setUint32(8, geometry.segmentBytesLog2, true)
  view.setUint32(12, geometry.segmentCount, true)
  view.setUint32(16, geometry.metaSegments, true)
  view.setUint32(20, slot ? 1 : 0, true)
  if (slot === undefined) return
  putU64(view, 24, slot.epoch)
  putU64(view, 32, slot.lsn)
  const cursor = (at: number, position: LogPosition | undefined): void => {
    view.setUint32(at, position?.segment ?? layoutConstants.kSegmentNone, true)
    view.setUint32(at + 4, position?.offset ?? 0, true)
    putU64(view, at + 8, position?.logSequence ?? 0)
    view.setUint32(at + 16, position?.seed ?? 0, true)
  }
  cursor(40, slot.hot)
  cursor(64, slot.cold)
  slot.roots.forEach((root, i) => {
    const ref = BigInt(root.index) | (BigInt(root.stamp) << BigInt(layoutConstants.kNodeRefIndexBits))
    view.setBigUint64(88 + i * 24, ref, true)
    putU64(view, 96 + i * 24, root.count)
  })
}

/** Of each segment first the half that the checkpoint means, then the other. Without a checkpoint the newer one is first. */
function encodeHalves(
  buffer: Uint8Array,
  table: SegmentTable,
  geometry: Geometry,
  slot: CheckpointSlot | undefined,
  findings: MetaFinding[],
): void {
  const view = new DataView(buffer.buffer)
  let check = 0
  let missing: number | undefined
  const whole: number[] = [] // segments with two valid halves: none of them hides a newer one
  for (let i = 0; i < geometry.segmentCount; i++) {
    const epochs = [0, 1].map((half) => (table.read(i, half) ? table.epoch : -1))
    const counts = (epoch: number): boolean => epoch >= 0 && (slot === undefined || epoch <= slot.epoch)
    const [a = -1, b = -1] = epochs.map((epoch) => (counts(epoch) ? epoch : -1))
    if (epochs.every((epoch) => epoch >= 0) && Math.max(a, b) >= 0) whole.push(i)
    const current = b > a ? 1 : 0
    for (const [place, half] of [current, 1 - current].entries()) {
      if (!table.read(i, half)) continue
      // What is newer than the checkpoint is of one that was cut off: good for a seed, not for what is live.
      if (place === 0 && counts(table.epoch)) check ^= tableTerm(table.crc)
      const at = halfAt(i, counts(table.epoch) ? place : 1)
      view.setUint8(at, 1)
      view.setUint8(at + 1, table.type)
      view.setUint32(at + 4, table.live, true)
      view.setUint32(at + 8, table.check, true)
      putU64(view, at + 16, table.sequence)
    }
    if (Math.max(a, b) < 0 && slot !== undefined && i < slot.segmentCount) missing ??= i
  }
  const matches = slot?.tableCheck === check >>> 0
  const trusted = matches ? Array.from({ length: geometry.segmentCount }, (_, i) => i) : slot ? whole : []
  for (const i of trusted) {
    if (view.getUint8(halfAt(i, 0)) === 1) view.setUint16(halfAt(i, 0) + 2, 1, true)
  }
  if (slot === undefined || matches) return
  findings.push({
    what: 'table',
    where: missing === undefined ? layoutConstants.kSegmentTableOffset : segmentHalfOffset(missing, 0),
    detail: 'the segment table does not match the checkpoint; each entry counts for itself',
  })
}

function halfAt(segment: number, place: number): number {
  return salvagePlanHeaderBytes + (segment * 2 + place) * salvageHalfBytes
}

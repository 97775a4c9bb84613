/** The file of a closed store, taken apart so that a test can damage one thing and leave every checksum around it right. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type CheckpointSlot, decodeCheckpointSlot } from '../../src/layout/checkpoint.ts'
import { layoutConstants, SegmentType } from '../../src/layout/constants.ts'
import { crc32c, storeSeed } from '../../src/layout/crc32c.ts'
import { segmentHalfOffset, SegmentTable, tableTerm } from '../../src/layout/segment-table.ts'
import { decodeSuperblock } from '../../src/layout/superblock.ts'

const { kSegmentTableOffset, kLeafBytes, kInnerBytes, kNodeFirstByte } = layoutConstants
const bitmapOffsets = [512, 1024] as const
const slotOffsets = [layoutConstants['kCheckpointSlotOffset.0'], layoutConstants['kCheckpointSlotOffset.1']] as const

export interface PlantedSegment {
  readonly index: number
  readonly offset: number
  readonly type: number
  readonly flags: number
  readonly live: number
  readonly check: number
  /** Of its current half. */
  readonly halfOffset: number
}

export class PlantedStore {
  readonly bytes: Buffer
  readonly seed: number
  readonly segmentBytes: number
  readonly slot: CheckpointSlot
  readonly slotOffset: number
  readonly segments: readonly PlantedSegment[]

  constructor(path: string) {
    this.bytes = readFileSync(path)
    const superblock = decodeSuperblock(this.bytes.subarray(0, 4096), 0)
    if (!superblock.ok) throw new Error('no superblock')
    const { uuid, segmentCount, segmentBytesLog2 } = superblock.value
    this.seed = storeSeed(uuid)
    this.segmentBytes = 2 ** segmentBytesLog2
    const slots = ([0, 1] as const).flatMap((i) => {
      const decoded = decodeCheckpointSlot(this.bytes.subarray(slotOffsets[i], slotOffsets[i] + 256), i, this.seed)
      return decoded.ok ? [{ slot: decoded.value, offset: slotOffsets[i] }] : []
    })
    const [newest] = slots.sort((a, b) => b.slot.sequence - a.slot.sequence)
    if (newest === undefined) throw new Error('no slot')
    this.slot = newest.slot
    this.slotOffset = newest.offset
    const table = new SegmentTable(this.bytes.subarray(kSegmentTableOffset), this.seed)
    this.segments = Array.from({ length: segmentCount }, (_, index) => {
      const halves = ([0, 1] as const)
        .filter((half) => table.read(index, half) && table.epoch <= this.slot.epoch)
        .map((half) => {
          table.read(index, half)
          const { type, flags, live, check, epoch } = table
          const halfOffset = segmentHalfOffset(index, half)
          return { index, offset: index * this.segmentBytes, type, flags, live, check, epoch, halfOffset }
        })
        .sort((a, b) => b.epoch - a.epoch)
      if (halves[0] === undefined) throw new Error('no half')
      return halves[0]
    })
  }

  save(path: string): void {
    writeFileSync(path, this.bytes)
  }

  ofType(type: keyof typeof SegmentType): PlantedSegment[] {
    return this.segments.filter((each) => each.type === SegmentType[type] && each.live > 0)
  }

  bitmapOf(segment: PlantedSegment): Buffer {
    const at = segment.offset + (bitmapOffsets[segment.flags & 1] ?? 0)
    return this.bytes.subarray(at, at + 512)
  }

  /** Places of nodes, with the bit that says so. */
  nodes(type: 'Leaf' | 'Inner', inUse = true): { offset: number; segment: PlantedSegment; unit: number }[] {
    const unitBytes = type === 'Leaf' ? kLeafBytes : kInnerBytes
    return this.ofType(type).flatMap((segment) => {
      const bitmap = this.bitmapOf(segment)
      return Array.from({ length: this.segmentBytes / unitBytes }, (_, unit) => unit)
        .filter((unit) => unit * unitBytes >= kNodeFirstByte)
        .filter((unit) => ((((bitmap[unit >> 3] ?? 0) >> (unit & 7)) & 1) === 1) === inUse)
        .map((unit) => ({ offset: segment.offset + unit * unitBytes, segment, unit }))
    })
  }

  /** Changes a node, and makes its checksum right. */
  changeNode(offset: number, change: (node: Buffer) => void): void {
    const bytes = this.bytes.readUInt8(offset + 4) === 0 ? kLeafBytes : kInnerBytes
    const node = this.bytes.subarray(offset, offset + bytes)
    change(node)
    node.writeUInt32LE(crc32c((this.seed ^ (offset / kLeafBytes)) >>> 0, node, 4, bytes), 0)
  }

  /** Changes a segment's entry, and makes the checksums right up to the slot's. */
  changeSegment(segment: PlantedSegment, change: (half: Buffer) => void): void {
    const half = this.bytes.subarray(segment.halfOffset, segment.halfOffset + 32)
    const before = tableTerm(half.readUInt32LE(0))
    change(half)
    half.writeUInt32LE(crc32c((this.seed ^ segment.index) >>> 0, half, 4, 32), 0)
    this.changeSlot((slot) => {
      slot.writeUInt32LE((slot.readUInt32LE(184) ^ before ^ tableTerm(half.readUInt32LE(0))) >>> 0, 184)
    })
  }

  /** Sets or clears the bit of a unit, and says so in the table. */
  changeBit(segment: PlantedSegment, unit: number, inUse: boolean): void {
    const bitmap = this.bitmapOf(segment)
    bitmap[unit >> 3] = ((bitmap[unit >> 3] ?? 0) & ~(1 << (unit & 7))) | (Number(inUse) << (unit & 7))
    this.changeSegment(segment, (half) => {
      half.writeUInt32LE(segment.live + (inUse ? 1 : -1), 24)
      half.writeUInt32LE(crc32c((this.seed ^ segment.index) >>> 0, bitmap, 0, 512), 28)
    })
  }

  changeSlot(change: (slot: Buffer) => void): void {
    const slot = this.bytes.subarray(this.slotOffset, this.slotOffset + 256)
    change(slot)
    slot.writeUInt32LE(crc32c(this.seed, slot, 4, 256), 0)
  }

  /** Changes the record at `offset`, and makes its checksum right. */
  changeRecord(offset: number, change: (record: Buffer) => void): void {
    const segment = this.segments[Math.floor(offset / this.segmentBytes)]
    const flags = this.bytes.readUInt8(offset + 5)
    const ext = (flags & 1 ? 8 : 0) + (flags & 4 ? 8 : 0)
    const bytes = 24 + ext + this.bytes.readUInt16LE(offset + 6) + this.bytes.readUInt32LE(offset + 8)
    const record = this.bytes.subarray(offset, offset + bytes)
    change(record)
    const seed = ((segment?.check ?? 0) ^ (offset % this.segmentBytes)) >>> 0
    record.writeUInt32LE(crc32c(seed, record, 4, bytes), 0)
  }
}

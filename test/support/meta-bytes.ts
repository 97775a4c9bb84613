/** Encoders of META, for tests only: native code writes the real ones. The fields are those of src/layout/. */
import type { CheckpointSlot, LogPosition, TreeRoot } from '../../src/layout/checkpoint.ts'
import { layoutConstants, metaSegments, SegmentType, superblockMagic } from '../../src/layout/constants.ts'
import { crc32c, storeSeed } from '../../src/layout/crc32c.ts'
import type { SealRecord } from '../../src/layout/seal.ts'
import { type SegmentHalf, segmentHalfOffset, tableTerm } from '../../src/layout/segment-table.ts'
import { type Superblock, superblockCrc } from '../../src/layout/superblock.ts'

export const testUuid = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1)
export const testSeed = storeSeed(testUuid)

export const testSuperblock: Superblock = {
  formatVersion: 1,
  featuresCompat: 0n,
  featuresReadOnly: 0n,
  featuresIncompat: 0n,
  uuid: testUuid,
  sequence: 1,
  createdUnixMs: 1_790_000_000_000,
  regionBytes: 16 * 65536,
  segmentBytesLog2: 16,
  segmentCount: 16,
  metaSegments: metaSegments(65536, 64),
  tableCapacity: 64,
  keyCodec: 1,
  valueCodec: 1,
  createdBy: 'sealog 0.1.0',
}

const noRoot: TreeRoot = { index: 0, stamp: 0, count: 0 }

export const testSlot: CheckpointSlot = {
  sequence: 4,
  epoch: 9,
  lsn: 1000,
  hot: { segment: 3, offset: 256, logSequence: 7, seed: 0xabcdef01 },
  cold: undefined,
  roots: [{ index: 513, stamp: 5, count: 900 }, noRoot, noRoot, noRoot],
  liveBytes: 5000,
  tableCheck: 0,
  segmentCount: 16,
  nextLogSequence: 8,
  flags: 0,
  clean: false,
  timeUnixMs: 1_790_000_000_001,
}

export const testSeal: SealRecord = {
  sequence: 3,
  device: 66,
  inode: 1234,
  generation: 99,
  regionBytes: 16 * 65536,
  digest: 'fedcba9876543210',
  extents: 2,
  level: 2,
  timeUnixMs: 1_790_000_000_002,
  alignedBytes: 0,
  fsUuid: Uint8Array.from({ length: 16 }, (_, i) => 200 - i),
  fsName: 'ext4',
  kernelRelease: '6.18.0',
}

export function encodeSuperblock(superblock: Superblock): Buffer {
  const out = Buffer.alloc(layoutConstants.kSuperblockBytes)
  out.writeBigUInt64LE(superblockMagic, 0)
  out.writeUInt32LE(superblock.formatVersion, 8)
  out.writeBigUInt64LE(superblock.featuresCompat, 16)
  out.writeBigUInt64LE(superblock.featuresReadOnly, 24)
  out.writeBigUInt64LE(superblock.featuresIncompat, 32)
  out.set(superblock.uuid, 40)
  u64(out, 56, superblock.sequence)
  u64(out, 64, superblock.createdUnixMs)
  u64(out, 72, superblock.regionBytes)
  out.writeUInt32LE(superblock.segmentBytesLog2, 80)
  out.writeUInt32LE(superblock.segmentCount, 84)
  out.writeUInt32LE(superblock.metaSegments, 88)
  out.writeUInt32LE(superblock.tableCapacity, 92)
  out[96] = superblock.keyCodec
  out[97] = superblock.valueCodec
  out.write(superblock.createdBy, 104, 'latin1')
  out.writeUInt32LE(superblockCrc(out), 12)
  return out
}

export function encodeSlot(slot: CheckpointSlot, seed = testSeed): Buffer {
  const out = Buffer.alloc(layoutConstants.kCheckpointSlotBytes)
  out.writeUInt32LE(layoutConstants.kSlotMagic, 4)
  u64(out, 8, slot.sequence)
  u64(out, 16, slot.epoch)
  u64(out, 24, slot.lsn)
  putPosition(out, 32, slot.hot)
  putPosition(out, 56, slot.cold)
  slot.roots.forEach((root, i) => {
    out.writeBigUInt64LE(BigInt(root.index) | (BigInt(root.stamp) << 40n), 80 + i * 24)
    u64(out, 88 + i * 24, root.count)
  })
  u64(out, 176, slot.liveBytes)
  out.writeUInt32LE(slot.tableCheck, 184)
  out.writeUInt32LE(slot.segmentCount, 188)
  u64(out, 192, slot.nextLogSequence)
  out.writeUInt32LE(slot.flags, 200)
  u64(out, 208, slot.timeUnixMs)
  return seal(out, seed)
}

export function encodeHalf(half: Omit<SegmentHalf, 'crc'>, segment: number, seed = testSeed): Buffer {
  const out = Buffer.alloc(layoutConstants.kSegmentHalfBytes)
  out[4] = half.type
  out[5] = half.flags
  u64(out, 8, half.epoch)
  u64(out, 16, half.sequence)
  out.writeUInt32LE(half.live, 24)
  out.writeUInt32LE(half.check, 28)
  return seal(out, (seed ^ segment) >>> 0)
}

export function encodeSealRecord(record: SealRecord, seed = testSeed): Buffer {
  const out = Buffer.alloc(layoutConstants.kSealRecordBytes)
  out.writeUInt32LE(layoutConstants.kSealMagic, 4)
  u64(out, 8, record.sequence)
  u64(out, 16, record.device)
  u64(out, 24, record.inode)
  u64(out, 32, record.generation)
  u64(out, 40, record.regionBytes)
  out.writeBigUInt64LE(BigInt(`0x${record.digest}`), 48)
  out.writeUInt32LE(record.extents, 56)
  out.writeUInt32LE(record.level, 60)
  u64(out, 64, record.timeUnixMs)
  u64(out, 72, record.alignedBytes)
  out.set(record.fsUuid, 80)
  out.write(record.fsName, 96, 'latin1')
  out.write(record.kernelRelease, 112, 'latin1')
  return seal(out, seed)
}

export const freeHalf: Omit<SegmentHalf, 'crc'> = {
  type: SegmentType.Free,
  flags: 0,
  epoch: 1,
  sequence: 0,
  live: 0,
  check: 0,
}

export type HalfPair = readonly [Omit<SegmentHalf, 'crc'> | undefined, Omit<SegmentHalf, 'crc'> | undefined]

/** The table that belongs to {@link testSlot}: META, a free one, a leaf segment, the hot log segment, and free ones. */
export function testHalves(superblock = testSuperblock, slot = testSlot): HalfPair[] {
  return Array.from({ length: superblock.segmentCount }, (_, i): HalfPair => {
    if (i < superblock.metaSegments) return [{ ...freeHalf, type: SegmentType.Meta }, undefined]
    if (i === 2) return [{ ...freeHalf, type: SegmentType.Leaf, epoch: 8, live: 100, check: 5 }, freeHalf]
    if (i !== slot.hot?.segment) return [freeHalf, undefined]
    const { logSequence, seed } = slot.hot
    return [freeHalf, { type: SegmentType.Log, flags: 0, epoch: 9, sequence: logSequence, live: 5000, check: seed }]
  })
}

/** Of the current halves, as in a slot of `epoch`. */
export function tableCheck(halves: readonly HalfPair[], epoch: number): number {
  let check = 0
  halves.forEach((pair, i) => {
    const [current] = pair
      .filter((half) => half !== undefined)
      .filter((half) => half.epoch <= epoch)
      .sort((a, b) => b.epoch - a.epoch)
    if (current) check ^= tableTerm(encodeHalf(current, i).readUInt32LE(0))
  })
  return check >>> 0
}

export interface TestMeta {
  superblocks?: (Superblock | undefined)[]
  slots?: CheckpointSlot[]
  seals?: SealRecord[]
  halves?: HalfPair[]
}

/** META of a store, its slots with the right table check unless they have one. */
export function encodeMeta(meta: TestMeta = {}): Buffer {
  const {
    superblocks = [testSuperblock, testSuperblock],
    slots = [testSlot],
    seals = [testSeal],
    halves = testHalves(),
  } = meta
  const out = Buffer.alloc(segmentHalfOffset(halves.length, 0))
  superblocks.forEach((superblock, i) => {
    if (superblock) out.set(encodeSuperblock(superblock), i * 4096)
  })
  for (const slot of slots) {
    const check = slot.tableCheck === 0 ? tableCheck(halves, slot.epoch) : slot.tableCheck
    out.set(encodeSlot({ ...slot, tableCheck: check }), 8192 + 4096 * (slot.sequence % 2))
  }
  for (const record of seals) out.set(encodeSealRecord(record), 16384 + 4096 * (record.sequence % 2))
  halves.forEach((pair, i) => {
    pair.forEach((half, j) => {
      if (half) out.set(encodeHalf(half, i), segmentHalfOffset(i, j as 0 | 1))
    })
  })
  return out
}

function putPosition(out: Buffer, at: number, position: LogPosition | undefined): void {
  out.writeUInt32LE(position?.segment ?? layoutConstants.kSegmentNone, at)
  if (!position) return
  out.writeUInt32LE(position.offset, at + 4)
  u64(out, at + 8, position.logSequence)
  out.writeUInt32LE(position.seed, at + 16)
}

function u64(out: Buffer, at: number, value: number): void {
  out.writeBigUInt64LE(BigInt(value), at)
}

function seal(out: Buffer, seed: number): Buffer {
  out.writeUInt32LE(crc32c(seed, out, 4), 0)
  return out
}

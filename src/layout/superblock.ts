import { layoutConstants, metaSegments, segmentCountMax, superblockMagic } from './constants.ts'
import { crc32c } from './crc32c.ts'
import { type Decoded, fault, Fields, isBlank } from './fields.ts'

/** What a store is: native/format/meta.h, `Superblock`. */
export interface Superblock {
  readonly formatVersion: number
  readonly featuresCompat: bigint
  readonly featuresReadOnly: bigint
  readonly featuresIncompat: bigint
  readonly uuid: Uint8Array
  readonly sequence: number
  readonly createdUnixMs: number
  readonly regionBytes: number
  readonly segmentBytesLog2: number
  readonly segmentCount: number
  readonly metaSegments: number
  readonly tableCapacity: number
  readonly keyCodec: number
  readonly valueCodec: number
  readonly createdBy: string
}

const crcAt = 12
const valueCodecs = [1, 2, 3, 4, 255]

/**
 * Decodes one of the two superblocks.
 * @param bytes 4096 of them, or fewer at the end of a short file
 * @param offset of `bytes`, from the start of the file
 */
export function decodeSuperblock(bytes: Uint8Array, offset: number): Decoded<Superblock> {
  if (bytes.length < layoutConstants.kSuperblockBytes) return fault('short', offset + bytes.length)
  if (isBlank(bytes)) return fault('blank', offset)
  const fields = new Fields(bytes, offset)
  if (fields.bits(0) !== superblockMagic) return fault('magic', offset)
  if (fields.u32(crcAt) !== superblockCrc(bytes)) return fault('checksum', offset + crcAt)
  const formatVersion = fields.u32(8)
  const sequence = fields.u64(56)
  if (formatVersion !== layoutConstants.kFormatVersion) {
    return { ok: false, reason: 'version', offset: offset + 8, version: formatVersion, sequence }
  }

  const regionBytes = fields.u64(72)
  const segmentBytesLog2 = fields.u32(80)
  const segmentCount = fields.u32(84)
  const metaCount = fields.u32(88)
  const tableCapacity = fields.u32(92)
  const keyCodec = fields.u8(96)
  const valueCodec = fields.u8(97)
  fields.require(segmentBytesLog2 >= 14 && segmentBytesLog2 <= 21, 80)
  fields.require(segmentCount <= segmentCountMax && segmentCount <= tableCapacity, 84)
  fields.require(metaCount === metaSegments(2 ** segmentBytesLog2, tableCapacity) && metaCount < segmentCount, 88)
  fields.require(regionBytes === segmentCount * 2 ** segmentBytesLog2, 72)
  fields.require(keyCodec >= 1 && keyCodec <= 3, 96)
  fields.require(valueCodecs.includes(valueCodec), 97)
  return fields.result({
    formatVersion,
    featuresCompat: fields.bits(16),
    featuresReadOnly: fields.bits(24),
    featuresIncompat: fields.bits(32),
    uuid: fields.bytes(40, 16),
    sequence,
    createdUnixMs: fields.u64(64),
    regionBytes,
    segmentBytesLog2,
    segmentCount,
    metaSegments: metaCount,
    tableCapacity,
    keyCodec,
    valueCodec,
    createdBy: fields.text(104, 32),
  })
}

/** Over all 4096 bytes, the checksum itself as zero. */
export function superblockCrc(bytes: Uint8Array): number {
  const before = crc32c(0, bytes, 0, crcAt)
  return crc32c(crc32c(before, new Uint8Array(4)), bytes, crcAt + 4, layoutConstants.kSuperblockBytes)
}

/** Where the two copies are. */
export const superblockOffsets = [
  layoutConstants['kSuperblockOffset.0'],
  layoutConstants['kSuperblockOffset.1'],
] as const

/** A copy of the bytes of the one that was decoded. */
export function superblockBytes(meta: Uint8Array, { sequence }: Superblock): Uint8Array {
  for (const offset of superblockOffsets) {
    const bytes = meta.slice(offset, offset + layoutConstants.kSuperblockBytes)
    const decoded = decodeSuperblock(bytes, offset)
    if (decoded.ok && decoded.value.sequence === sequence) return bytes
  }
  throw new RangeError('No superblock has this sequence')
}

/** The superblock of the same store with another size: a copy, complete. `regionBytes` is a multiple of the segment size. */
export function resizeSuperblock(bytes: Uint8Array, regionBytes: number, sequence: number): Uint8Array {
  const resized = bytes.slice()
  const view = new DataView(resized.buffer)
  view.setBigUint64(56, BigInt(sequence), true)
  view.setBigUint64(72, BigInt(regionBytes), true)
  view.setUint32(84, regionBytes / 2 ** view.getUint32(80, true), true)
  view.setUint32(crcAt, superblockCrc(resized), true)
  return resized
}

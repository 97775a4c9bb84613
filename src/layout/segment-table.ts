import { epochMax, layoutConstants, SegmentType } from './constants.ts'
import { crc32c } from './crc32c.ts'
import { type Decoded, fault, Fields, isBlank } from './fields.ts'

/** Half of a segment's table entry: native/format/meta.h, `SegmentHalf`. */
export interface SegmentHalf {
  readonly crc: number
  readonly type: number
  readonly flags: number
  readonly epoch: number
  /** LOG: its log sequence. */
  readonly sequence: number
  /** LOG: live bytes; LEAF, INNER: live units. */
  readonly live: number
  /** LOG: frame seed; LEAF, INNER: checksum of the current bitmap. */
  readonly check: number
}

/**
 * Decodes one half of the table entry of a segment.
 * @param bytes 32 of them
 * @param segment its index
 * @param half 0 or 1
 * @param seed of the store's UUID
 */
export function decodeSegmentHalf(bytes: Uint8Array, segment: number, half: 0 | 1, seed: number): Decoded<SegmentHalf> {
  const offset = segmentHalfOffset(segment, half)
  if (bytes.length < layoutConstants.kSegmentHalfBytes) return fault('short', offset + bytes.length)
  if (isBlank(bytes)) return fault('blank', offset)
  const fields = new Fields(bytes, offset)
  const crc = fields.u32(0)
  if (crc !== crc32c((seed ^ segment) >>> 0, bytes, 4, layoutConstants.kSegmentHalfBytes))
    return fault('checksum', offset)
  const type = fields.u8(4)
  const epoch = fields.u64(8)
  fields.require(type <= SegmentType.Inner, 4)
  fields.require(epoch <= epochMax, 8)
  return fields.result({
    crc,
    type,
    flags: fields.u8(5),
    epoch,
    sequence: fields.u64(16),
    live: fields.u32(24),
    check: fields.u32(28),
  })
}

/** Where a half is, from the start of the file. */
export function segmentHalfOffset(segment: number, half: 0 | 1): number {
  const { kSegmentTableOffset, kSegmentEntryBytes, kSegmentHalfBytes } = layoutConstants
  return kSegmentTableOffset + segment * kSegmentEntryBytes + half * kSegmentHalfBytes
}

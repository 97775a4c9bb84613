import { epochMax, layoutConstants, SegmentType } from './constants.ts'
import { crc32cOfView } from './crc32c.ts'

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

const { kSegmentTableOffset, kSegmentEntryBytes, kSegmentHalfBytes } = layoutConstants

/**
 * The halves of a segment table, decoded one at a time into this object: a large store has very many of them, and it is they that
 * opening it waits for.
 */
export class SegmentTable implements SegmentHalf {
  crc = 0
  type = 0
  flags = 0
  epoch = 0
  sequence = 0
  live = 0
  check = 0
  readonly #view: DataView
  readonly #seed: number

  /**
   * @param bytes 64 for each segment
   * @param seed of the store's UUID
   */
  constructor(bytes: Uint8Array, seed: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#seed = seed
  }

  /** Reads half `half` (0 or 1) of a segment's entry. False, with this object's fields left as they were, if it is not valid. */
  read(segment: number, half: number): boolean {
    const view = this.#view
    const at = segment * kSegmentEntryBytes + half * kSegmentHalfBytes
    if (at + kSegmentHalfBytes > view.byteLength) return false
    const crc = view.getUint32(at, true)
    if (crc !== crc32cOfView((this.#seed ^ segment) >>> 0, view, at + 4, at + kSegmentHalfBytes)) return false
    const type = view.getUint8(at + 4)
    const epoch = view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true)
    const sequence = view.getUint32(at + 20, true) * 2 ** 32 + view.getUint32(at + 16, true)
    if (type > SegmentType.Inner || epoch === 0 || epoch > epochMax || !Number.isSafeInteger(sequence)) return false
    this.crc = crc
    this.type = type
    this.flags = view.getUint8(at + 5)
    this.epoch = epoch
    this.sequence = sequence
    this.live = view.getUint32(at + 24, true)
    this.check = view.getUint32(at + 28, true)
    return true
  }
}

/** What a half with this checksum adds to the slot's `tableCheck`: native/format/meta.h, `TableTerm`, says why not the checksum. */
export function tableTerm(crc: number): number {
  let term = Math.imul(crc ^ (crc >>> 16), 0x85ebca6b)
  term = Math.imul(term ^ (term >>> 13), 0xc2b2ae35)
  return (term ^ (term >>> 16)) >>> 0
}

/** Where a half is, from the start of the file. */
export function segmentHalfOffset(segment: number, half: 0 | 1): number {
  return kSegmentTableOffset + segment * kSegmentEntryBytes + half * kSegmentHalfBytes
}

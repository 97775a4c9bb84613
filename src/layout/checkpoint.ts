import { epochMax, layoutConstants } from './constants.ts'
import { crc32c } from './crc32c.ts'
import { type Decoded, fault, Fields, isBlank } from './fields.ts'

/** Where a log cursor stands: native/format/meta.h, `LogPosition`. */
export interface LogPosition {
  readonly segment: number
  /** Bytes into the segment. */
  readonly offset: number
  readonly logSequence: number
  readonly seed: number
}

export interface TreeRoot {
  /** Place of the node in units of 512 bytes, and its stamp. The bits of both are 0 for an empty tree. */
  readonly index: number
  readonly stamp: number
  readonly count: number
}

/** A checkpoint: native/format/meta.h, `CheckpointSlot`. */
export interface CheckpointSlot {
  readonly sequence: number
  readonly epoch: number
  readonly lsn: number
  /** undefined: no log segment yet. */
  readonly hot: LogPosition | undefined
  readonly cold: LogPosition | undefined
  readonly roots: readonly TreeRoot[]
  readonly liveBytes: number
  readonly tableCheck: number
  readonly segmentCount: number
  readonly nextLogSequence: number
  readonly flags: number
  readonly clean: boolean
  readonly timeUnixMs: number
}

const rootsAt = 80
const rootBytes = 24

/**
 * Decodes a checkpoint slot.
 * @param bytes 256 of them
 * @param slot 0 or 1: which one it is, and so the lowest bit of its sequence
 * @param seed of the store's UUID
 */
export function decodeCheckpointSlot(bytes: Uint8Array, slot: 0 | 1, seed: number): Decoded<CheckpointSlot> {
  const offset = slot === 0 ? layoutConstants['kCheckpointSlotOffset.0'] : layoutConstants['kCheckpointSlotOffset.1']
  if (bytes.length < layoutConstants.kCheckpointSlotBytes) return fault('short', offset + bytes.length)
  if (isBlank(bytes)) return fault('blank', offset)
  const fields = new Fields(bytes, offset)
  if (fields.u32(4) !== layoutConstants.kSlotMagic) return fault('magic', offset + 4)
  if (fields.u32(0) !== crc32c(seed, bytes, 4, layoutConstants.kCheckpointSlotBytes)) return fault('checksum', offset)

  const sequence = fields.u64(8)
  const epoch = fields.u64(16)
  const flags = fields.u32(200)
  fields.require(sequence % 2 === slot, 8)
  fields.require(epoch <= epochMax, 16)
  return fields.result({
    sequence,
    epoch,
    lsn: fields.u64(24),
    hot: decodeLogPosition(fields, 32),
    cold: decodeLogPosition(fields, 56),
    roots: Array.from({ length: layoutConstants.kTreeCount }, (_, i) => decodeRoot(fields, rootsAt + i * rootBytes)),
    liveBytes: fields.u64(176),
    tableCheck: fields.u32(184),
    segmentCount: fields.u32(188),
    nextLogSequence: fields.u64(192),
    flags,
    clean: (flags & layoutConstants.kSlotClean) !== 0,
    timeUnixMs: fields.u64(208),
  })
}

function decodeLogPosition(fields: Fields, at: number): LogPosition | undefined {
  const segment = fields.u32(at)
  if (segment === layoutConstants.kSegmentNone) return undefined
  const offset = fields.u32(at + 4)
  fields.require(offset % layoutConstants.kLineBytes === 0 && offset >= layoutConstants.kLogFirstFrame, at + 4)
  return { segment, offset, logSequence: fields.u64(at + 8), seed: fields.u32(at + 16) }
}

function decodeRoot(fields: Fields, at: number): TreeRoot {
  const ref = fields.bits(at)
  const indexBits = BigInt(layoutConstants.kNodeRefIndexBits)
  const index = Number(ref & ((1n << indexBits) - 1n))
  const count = fields.u64(at + 8)
  fields.require(index !== 0 || ref === 0n, at)
  fields.require(ref !== 0n || count === 0, at + 8)
  return { index, stamp: Number(ref >> indexBits), count }
}

import { layoutConstants } from './constants.ts'
import { crc32c } from './crc32c.ts'
import { type Decoded, fault, Fields, isBlank } from './fields.ts'

/** What the block map looked like when it was sealed: native/format/meta.h, `SealRecord`. */
export interface SealRecord {
  readonly sequence: number
  readonly device: number
  readonly inode: number
  readonly generation: number
  readonly regionBytes: number
  /** Of the extents, as 16 hexadecimal digits. */
  readonly digest: string
  readonly extents: number
  /** 0 sparse, 1 allocated, 2 sealed. */
  readonly level: number
  readonly timeUnixMs: number
  readonly alignedBytes: number
  /** Zeros where unknown. */
  readonly fsUuid: Uint8Array
  readonly fsName: string
  readonly kernelRelease: string
}

/**
 * Decodes one of the two seal records.
 * @param bytes 256 of them
 * @param copy 0 or 1: which one it is, and so the lowest bit of its sequence
 * @param seed of the store's UUID
 */
export function decodeSealRecord(bytes: Uint8Array, copy: 0 | 1, seed: number): Decoded<SealRecord> {
  const offset = copy === 0 ? layoutConstants['kSealRecordOffset.0'] : layoutConstants['kSealRecordOffset.1']
  if (bytes.length < layoutConstants.kSealRecordBytes) return fault('short', offset + bytes.length)
  if (isBlank(bytes)) return fault('blank', offset)
  const fields = new Fields(bytes, offset)
  if (fields.u32(4) !== layoutConstants.kSealMagic) return fault('magic', offset + 4)
  if (fields.u32(0) !== crc32c(seed, bytes, 4, layoutConstants.kSealRecordBytes)) return fault('checksum', offset)
  const sequence = fields.u64(8)
  const level = fields.u32(60)
  fields.require(sequence % 2 === copy, 8)
  fields.require(level <= 2, 60)
  return fields.result({
    sequence,
    device: fields.u64(16),
    inode: fields.u64(24),
    generation: fields.u64(32),
    regionBytes: fields.u64(40),
    digest: fields.bits(48).toString(16).padStart(16, '0'),
    extents: fields.u32(56),
    level,
    timeUnixMs: fields.u64(64),
    alignedBytes: fields.u64(72),
    fsUuid: fields.bytes(80, 16),
    fsName: fields.text(96, 16),
    kernelRelease: fields.text(112, 64),
  })
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCheckpointSlot } from '../../../src/layout/checkpoint.ts'
import { layoutConstants, metaSegments } from '../../../src/layout/constants.ts'
import { crc32c, storeSeed } from '../../../src/layout/crc32c.ts'
import type { Decoded } from '../../../src/layout/fields.ts'
import { decodeSealRecord } from '../../../src/layout/seal.ts'
import { SegmentTable, segmentHalfOffset } from '../../../src/layout/segment-table.ts'
import { decodeSuperblock, superblockCrc } from '../../../src/layout/superblock.ts'
import {
  encodeHalf,
  encodeSealRecord,
  encodeSlot,
  encodeSuperblock,
  freeHalf,
  testSeal,
  testSeed,
  testSlot,
  testSuperblock,
} from '../../support/meta-bytes.ts'

describe('crc32c', () => {
  it('is CRC-32C without its final inversion', () => {
    // The check value of the catalogue is e3069283, started with all ones and inverted at the end.
    expect((~crc32c(0xffffffff, Buffer.from('123456789')) >>> 0).toString(16)).toBe('e3069283')
    expect(crc32c(0, new Uint8Array(0))).toBe(0)
  })

  it('chains', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array(), fc.uint8Array(), (seed, a, b) => {
        expect(crc32c(crc32c(seed, a), b)).toBe(crc32c(seed, Buffer.concat([a, b])))
      }),
    )
  })

  it('makes another seed of another UUID', () => {
    expect(storeSeed(new Uint8Array(16))).not.toBe(storeSeed(new Uint8Array(16).fill(1)))
  })
})

const half = { ...freeHalf, type: 2, flags: 1, epoch: 77, sequence: 5, live: 9, check: 0xffffffff }
const structures: [name: string, bytes: Buffer, decode: (bytes: Uint8Array) => Decoded<unknown>, value: unknown][] = [
  ['a superblock', encodeSuperblock(testSuperblock), (bytes) => decodeSuperblock(bytes, 0), testSuperblock],
  ['a checkpoint slot', encodeSlot(testSlot), (bytes) => decodeCheckpointSlot(bytes, 0, testSeed), testSlot],
  ['a seal record', encodeSealRecord(testSeal), (bytes) => decodeSealRecord(bytes, 1, testSeed), testSeal],
]

describe.each(structures)('%s', (_, bytes, decode, value) => {
  it('decodes to its fields', () => {
    const decoded = decode(bytes)
    expect(decoded).toMatchObject({ ok: true, value })
  })

  it('is never accepted with a flipped bit', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(bytes)
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        expect(decode(damaged).ok).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('is refused as blank or short without reading further', () => {
    expect(decode(Buffer.alloc(bytes.length))).toMatchObject({ ok: false, reason: 'blank' })
    for (const length of [0, 1, bytes.length - 1]) {
      expect(decode(bytes.subarray(0, length))).toMatchObject({ ok: false, reason: 'short' })
    }
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: bytes.length + 8, size: 'max' }), fc.boolean(), (hostile, overlay) => {
        const given = overlay ? Buffer.from(bytes) : Buffer.from(hostile)
        if (overlay)
          given.set(
            hostile.subarray(0, given.length),
            Math.min(16, given.length - Math.min(hostile.length, given.length)),
          )
        expect(typeof decode(given).ok).toBe('boolean')
      }),
      { numRuns: 300 },
    )
  })
})

describe('fields that cannot be right', () => {
  const superblock = (change: Partial<typeof testSuperblock>): Decoded<unknown> =>
    decodeSuperblock(encodeSuperblock({ ...testSuperblock, ...change }), 4096)

  it('of a superblock are named by their offset in the file', () => {
    expect(superblock({ segmentBytesLog2: 13 })).toMatchObject({ reason: 'field', offset: 4096 + 80 })
    expect(superblock({ segmentCount: 65 })).toMatchObject({ reason: 'field', offset: 4096 + 84 })
    expect(superblock({ metaSegments: 2 })).toMatchObject({ reason: 'field', offset: 4096 + 88 })
    expect(superblock({ regionBytes: 17 * 65536 })).toMatchObject({ reason: 'field', offset: 4096 + 72 })
    expect(superblock({ keyCodec: 0 })).toMatchObject({ reason: 'field', offset: 4096 + 96 })
    expect(superblock({ valueCodec: 9 })).toMatchObject({ reason: 'field', offset: 4096 + 97 })
    expect(superblock({ tableCapacity: 0xffffffff, segmentCount: 0xfffffff0 })).toMatchObject({ reason: 'field' })
  })

  it('include every number of 64 bits that is no safe integer', () => {
    const bytes = encodeSuperblock(testSuperblock)
    bytes.writeBigUInt64LE(2n ** 53n, 64)
    bytes.writeUInt32LE(superblockCrc(bytes), 12)
    expect(decodeSuperblock(bytes, 0)).toMatchObject({ reason: 'field', offset: 64 })
    const slot = Buffer.from(encodeSlot(testSlot))
    slot.writeBigUInt64LE(2n ** 64n - 1n, 24)
    slot.writeUInt32LE(crc32c(testSeed, slot, 4), 0)
    expect(decodeCheckpointSlot(slot, 0, testSeed)).toMatchObject({ reason: 'field', offset: 8192 + 24 })
  })

  it('of a slot: a sequence of the other slot, an epoch too large, a log position that is no frame', () => {
    const slot = (change: Partial<typeof testSlot>): Decoded<unknown> =>
      decodeCheckpointSlot(encodeSlot({ ...testSlot, ...change }), 0, testSeed)
    expect(slot({ sequence: 5 })).toMatchObject({ reason: 'field', offset: 8192 + 8 })
    expect(slot({ epoch: 2 ** 40 })).toMatchObject({ reason: 'field', offset: 8192 + 16 })
    expect(slot({ hot: { segment: 3, offset: 64, logSequence: 1, seed: 1 } })).toMatchObject({ offset: 8192 + 36 })
    expect(slot({ hot: { segment: 3, offset: 130, logSequence: 1, seed: 1 } })).toMatchObject({ offset: 8192 + 36 })
    expect(slot({ hot: undefined })).toMatchObject({ ok: true, value: { hot: undefined } })
  })

  it('of pieces of another store, or of another entry: the checksum', () => {
    expect(decodeCheckpointSlot(encodeSlot(testSlot, 1), 0, testSeed)).toMatchObject({ reason: 'checksum' })
  })
})

describe('a segment table', () => {
  const tableOf = (...entries: Buffer[]): SegmentTable => new SegmentTable(Buffer.concat(entries), testSeed)
  const blank = Buffer.alloc(layoutConstants.kSegmentHalfBytes)

  it('has the fields of the half that was read', () => {
    const table = tableOf(blank, blank, blank, encodeHalf(half, 1))
    expect(table.read(1, 1)).toBe(true)
    const { crc, type, flags, epoch, sequence, live, check } = table
    expect({ type, flags, epoch, sequence, live, check }).toMatchObject(half)
    expect(crc).toBe(encodeHalf(half, 1).readUInt32LE(0))
    expect(segmentHalfOffset(1, 1)).toBe(32768 + 64 + 32)
  })

  it('keeps them when the next one does not hold', () => {
    const table = tableOf(encodeHalf(half, 0), blank)
    expect(table.read(0, 0)).toBe(true)
    expect(table.read(0, 1)).toBe(false)
    expect(table.epoch).toBe(half.epoch)
  })

  it('refuses a half of another segment or store, an unknown type, an epoch that no checkpoint has, and what is not there', () => {
    expect(tableOf(encodeHalf(half, 6)).read(0, 0)).toBe(false)
    expect(new SegmentTable(encodeHalf(half, 0), testSeed + 1).read(0, 0)).toBe(false)
    expect(tableOf(encodeHalf({ ...half, type: 5 }, 0)).read(0, 0)).toBe(false)
    expect(tableOf(encodeHalf({ ...half, epoch: 0 }, 0)).read(0, 0)).toBe(false)
    expect(tableOf(encodeHalf({ ...half, epoch: 2 ** 40 }, 0)).read(0, 0)).toBe(false)
    expect(tableOf(encodeHalf(half, 0)).read(0, 1)).toBe(false)
    // A checksum of nothing but zeros is zero where the seed is.
    expect(new SegmentTable(blank, 0).read(0, 0)).toBe(false)
  })

  it('never accepts a half with a flipped bit', () => {
    for (let bit = 0; bit < blank.length * 8; bit++) {
      const damaged = Buffer.from(encodeHalf(half, 0))
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      expect(tableOf(damaged).read(0, 0)).toBe(false)
    }
  })
})

describe('a superblock of another version', () => {
  it('is told apart from a damaged one', () => {
    const bytes = encodeSuperblock({ ...testSuperblock, formatVersion: 2, sequence: 9 })
    expect(decodeSuperblock(bytes, 0)).toMatchObject({ reason: 'version', version: 2, sequence: 9 })
    bytes[200] = 1
    expect(decodeSuperblock(bytes, 0)).toMatchObject({ reason: 'checksum' })
  })
})

describe('places', () => {
  it('are where the format has them', () => {
    expect(segmentHalfOffset(0, 0)).toBe(32768)
    expect(segmentHalfOffset(3, 1)).toBe(32768 + 3 * 64 + 32)
    expect(metaSegments(2 ** 21, 1024)).toBe(1)
    expect(metaSegments(16384, 64)).toBe(3)
    expect(layoutConstants.kSuperblockBytes).toBe(4096)
  })
})

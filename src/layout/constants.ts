/**
 * Every number of the format, with the names and values of native/format/. The addon reports its own by the same names, and
 * binding.ts refuses one that differs.
 */
export const layoutConstants = {
  // native/format/layout.h
  kFormatVersion: 1,
  kLineBytes: 64,
  kSlotAlignBytes: 4096,
  'kSuperblockOffset.0': 0,
  'kSuperblockOffset.1': 4096,
  kSuperblockBytes: 4096,
  'kCheckpointSlotOffset.0': 8192,
  'kCheckpointSlotOffset.1': 12288,
  kCheckpointSlotBytes: 256,
  'kSealRecordOffset.0': 16384,
  'kSealRecordOffset.1': 20480,
  kSealRecordBytes: 256,
  kSegmentTableOffset: 32768,
  kSegmentEntryBytes: 64,
  kSegmentHalfBytes: 32,
  kSegmentBytesDefault: 2097152,
  kSegmentBytesMin: 16384,
  kSegmentBytesMax: 2097152,
  kSegmentNone: 0xffffffff,
  'SegmentType.kFree': 0,
  'SegmentType.kMeta': 1,
  'SegmentType.kLog': 2,
  'SegmentType.kLeaf': 3,
  'SegmentType.kInner': 4,
  kTreeCount: 4,
  kTreeUser: 0,
  kTreeSystem: 1,
  kTreeSpaces: 2,
  kTreeExpiry: 3,
  kSpaceIdBytes: 4,
  kExpiryHeadBytes: 9,
  kFeatureExpiry: 1,
  kFeatureCleaning: 2,
  kKeyBytesMax: 1984,
  kValueBytesMax: 1073741824,
  kSlotMagic: 0x544f4c53,
  kSealMagic: 0x4c414553,
  kLogSegmentMagic: 0x53474f4c,
  // native/format/log_format.h
  kLogFirstFrame: 128,
  kRecordPut: 1,
  kRecordDel: 2,
  kRecordChunk: 3,
  kFrameBatch: 16,
  kFrameLink: 17,
  kWindowFramesMax: 65535,
  kSessionLsnJump: 65536,
  // native/format/meta.h
  kSlotClean: 1,
  kHalfBitmapB: 1,
  kHalfPending: 2,
  // native/format/node_format.h
  kLeafBytes: 512,
  kInnerBytes: 4096,
  kNodeFirstByte: 4096,
  kNodeRefIndexBits: 40,
} as const satisfies Readonly<Record<string, number>>

/** "SEALOG\r\n", the first bytes of a store file: kSuperblockMagic, which is too large for a number. */
export const superblockMagic = 0x0a0d474f4c414553n

export const SegmentType = {
  Free: layoutConstants['SegmentType.kFree'],
  Meta: layoutConstants['SegmentType.kMeta'],
  Log: layoutConstants['SegmentType.kLog'],
  Leaf: layoutConstants['SegmentType.kLeaf'],
  Inner: layoutConstants['SegmentType.kInner'],
} as const

/** Epochs share a word with a 24-bit stamp. */
export const epochMax = 2 ** 40 - 1

/** Bytes of META before the segment table. */
export const metaFixedBytes = layoutConstants.kSegmentTableOffset

/** Segments that META takes at the start of the file: MetaSegments() of native/format/layout.h. */
export function metaSegments(segmentBytes: number, tableCapacity: number): number {
  const bytes = layoutConstants.kSegmentTableOffset + tableCapacity * layoutConstants.kSegmentEntryBytes
  return Math.ceil(bytes / segmentBytes)
}

/** A limit of this implementation, not of the format: it bounds what a segment table may make us allocate (8 TiB in 2 MiB segments). */
export const segmentCountMax = 2 ** 22

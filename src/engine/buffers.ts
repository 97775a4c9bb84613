/** Sizes of the memory that TypeScript and native agree on, and views of it. */

/** Keys go to the front of the write buffer, two of them for a range; a value goes behind. */
export const keyAreaBytes = 4096
export const writeBufferBytes = keyAreaBytes + 64 * 1024
export const readBufferBytes = 64 * 1024
export const metaNumbers = 16

/** Indices into the numbers that a call leaves behind. */
export const Meta = {
  ValueBytes: 0,
  Version: 1,
  Expires: 2,
  RangeDone: 0,
  RangeBytes: 1,
  RangeSnapshot: 2,
  RangeNeeded: 3,
  NextBytes: 3,
  RemovedMore: 0,
  NextExpiry: 1,
  LookedAt: 2,
} as const

/** What Buffers are made by: the class that Buffer.prototype.subarray and the like use. Buffer.from takes three times as long. */
const BufferOver = (Buffer as unknown as { [Symbol.species]: unknown })[Symbol.species] as new (
  memory: ArrayBufferLike,
  offset: number,
  length: number,
) => Buffer

/** A Buffer over `[offset, offset + length)` of the same memory: `buffer.subarray` without its arithmetic. */
export function viewOf(buffer: Buffer, offset: number, length: number): Buffer {
  return new BufferOver(buffer.buffer, buffer.byteOffset + offset, length)
}

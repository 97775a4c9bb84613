/** Sizes of the memory that TypeScript and native agree on, and a Buffer that is cheap to make. */

/** Keys go to the front of the write buffer, two of them for a range; a value goes behind. */
export const keyAreaBytes = 4096
export const writeBufferBytes = keyAreaBytes + 64 * 1024
export const readBufferBytes = 64 * 1024
export const metaNumbers = 16

/** Indices into the numbers that a call leaves behind. */
export const Meta = {
  ValueBytes: 0,
  Version: 1,
  RangeDone: 0,
  RangeBytes: 1,
  RangeSnapshot: 2,
  RangeNeeded: 3,
} as const

class View extends Uint8Array {}
const bufferPrototype = Buffer.prototype as object
Object.setPrototypeOf(View.prototype, bufferPrototype)
// As Node's own pooled Buffers: what is derived from one, and what is printed, is a Buffer.
Object.defineProperty(View.prototype, 'constructor', { value: Buffer })

/** A Buffer over `[offset, offset + length)` of the same memory: `buffer.subarray`, several times faster. */
export function viewOf(buffer: Buffer, offset: number, length: number): Buffer {
  return new View(buffer.buffer as ArrayBuffer, buffer.byteOffset + offset, length) as Buffer
}

/**
 * Numbers as ordered bytes, as in ordered-binary: the sign bit and the other 63 are shifted by four, so that the first byte is
 * 8 to 15 for negative numbers (whose bits are inverted) and 16 to 23 for the others. Zero bytes at the end are left out,
 * except for negative numbers and in arrays, where all nine are written.
 */

const float = new Float64Array(1)
// Little-endian, like everything that Sealog runs on.
const words = new Uint32Array(float.buffer)

export const numberBytesMax = 9

/** Writes `value`, which is not NaN; -0 becomes 0. @returns the end */
export function putNumber(value: number, target: Uint8Array, at: number, inArray: boolean): number {
  float[0] = value + 0
  let low = words[0] ?? 0
  let high = words[1] ?? 0
  const negative = high >= 0x80000000
  if (negative) {
    high = (high ^ 0x7fffffff) >>> 0
    low = ~low >>> 0
  }
  target[at] = (high >>> 28) | (negative ? 0 : 0x10)
  target[at + 1] = high >>> 20
  target[at + 2] = high >>> 12
  target[at + 3] = high >>> 4
  target[at + 4] = (high << 4) | (low >>> 28)
  target[at + 5] = low >>> 20
  target[at + 6] = low >>> 12
  target[at + 7] = low >>> 4
  target[at + 8] = low << 4
  if (negative || inArray || (low & 0xf) !== 0) return at + 9
  if ((low & 0xfffff) !== 0) return at + 8
  return low !== 0 || (high & 0xf) !== 0 ? at + 6 : at + 4
}

/** The number at `at`; bytes that were left out before `end` count as zero. */
export function getNumber(source: Uint8Array, at: number, end: number): number {
  const byte = (i: number): number => (at + i < end ? (source[at + i] ?? 0) : 0)
  const first = byte(0)
  const fifth = byte(4)
  let high = ((first << 28) | (byte(1) << 20) | (byte(2) << 12) | (byte(3) << 4) | (fifth >>> 4)) >>> 0
  let low = ((fifth << 28) | (byte(5) << 20) | (byte(6) << 12) | (byte(7) << 4) | (byte(8) >>> 4)) >>> 0
  if (first < 0x10) {
    high = (high ^ 0x7fffffff) >>> 0
    low = ~low >>> 0
  }
  words[0] = low
  words[1] = high
  return float[0] ?? 0
}

// CRC-32C (Castagnoli), as in native/base/crc32c.h: started with a seed, without a final inversion. Four bytes at a time where it can
// (slicing-by-4, Kounavis and Berry, 2005): a large segment table is summed while a store opens, in code that nothing has warmed up.

const tables = new Uint32Array(4 * 256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  tables[byte] = crc
}
for (let at = 256; at < tables.length; at++) {
  const before = entryOf(at - 256)
  tables[at] = (before >>> 8) ^ entryOf(before & 0xff)
}

function entryOf(index: number): number {
  return tables[index] ?? 0
}

/** The checksum of `bytes[start, end)`. Chaining works: crc32c(crc32c(s, a), b) is crc32c(s, ab). */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return crc32cOfView(seed, view, start, end)
}

/** The same, for one who has a view already. */
export function crc32cOfView(seed: number, view: DataView, start: number, end: number): number {
  let crc = seed | 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    crc ^= view.getInt32(at, true)
    crc =
      entryOf(768 + (crc & 0xff)) ^
      entryOf(512 + ((crc >>> 8) & 0xff)) ^
      entryOf(256 + ((crc >>> 16) & 0xff)) ^
      entryOf(crc >>> 24)
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ entryOf((crc ^ view.getUint8(at)) & 0xff)
  return crc >>> 0
}

/** Seed of every META and node checksum of the store with this UUID (16 bytes). */
export function storeSeed(uuid: Uint8Array): number {
  return crc32c(0x5ea106, uuid)
}

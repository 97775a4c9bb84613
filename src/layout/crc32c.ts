// CRC-32C (Castagnoli), as in native/base/crc32c.h: started with a seed, without a final inversion.

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  return crc >>> 0
})

/** The checksum of `bytes[start, end)`. Chaining works: crc32c(crc32c(s, a), b) is crc32c(s, ab). */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = seed
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0)
  return crc >>> 0
}

/** Seed of every META and node checksum of the store with this UUID (16 bytes). */
export function storeSeed(uuid: Uint8Array): number {
  return crc32c(0x5ea106, uuid)
}

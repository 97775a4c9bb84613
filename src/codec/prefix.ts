/** Where {@link KeyCodec.encodePrefix} wrote its bounds. */
export interface PrefixBounds {
  /** The inclusive low bound: `[at, at + lowBytes)`. */
  readonly lowBytes: number
  /** The exclusive high bound: `[at + lowBytes, at + lowBytes + highBytes)`; undefined if there is no key that is greater. */
  readonly highBytes: number | undefined
}

/**
 * Writes, behind the prefix in `[at, at + bytes)`, the least byte string greater than all that begin with it: the prefix
 * without the 0xff at its end, its last byte increased by one.
 */
export function endsOfPrefix(target: Uint8Array, at: number, bytes: number): PrefixBounds {
  let highBytes = bytes
  while (highBytes > 0 && target[at + highBytes - 1] === 0xff) highBytes--
  if (highBytes === 0) return { lowBytes: bytes, highBytes: undefined }
  const high = at + bytes
  target.copyWithin(high, at, at + highBytes)
  target[high + highBytes - 1] = (target[high + highBytes - 1] ?? 0) + 1
  return { lowBytes: bytes, highBytes }
}

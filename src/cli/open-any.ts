import { open, type Store } from '../index.ts'

/** Values are not looked at, so a custom encoding need not be the right one. */
const anyEncoding = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }

/** Opens a store for reading, whatever its encoding. @throws SealogError */
export function openForReading(path: string): Store {
  try {
    return open(path, { readOnly: true })
  } catch (error) {
    // A custom encoding: the store does not know it.
    if (!(error instanceof TypeError)) throw error
    return open<Uint8Array>(path, { readOnly: true, encoding: anyEncoding })
  }
}

import { SealogError } from '../errors.ts'

/** Where the shared structures of a store are kept. Both are called in the middle of an encode or decode. */
export interface StructureStore {
  /** The bytes last saved, by any process; undefined if none were. */
  load(): Uint8Array | undefined
  /**
   * Keeps these instead. They must be durable no later than the value that is being encoded.
   * @returns false if others have been saved since they were loaded
   */
  save(bytes: Uint8Array): boolean
}

/** Lists of property names, as JSON: readable, and independent of what it describes. */
export function encodeStructures(structures: readonly (readonly string[])[]): Buffer {
  return Buffer.from(JSON.stringify(structures))
}

/**
 * New lists each time, since msgpackr adds to them.
 * @throws SealogError ERR_SEALOG_CORRUPT for what is not at most `countMax` lists of strings
 */
export function decodeStructures(bytes: Uint8Array | undefined, countMax: number): string[][] {
  if (bytes === undefined) return []
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
  } catch {
    parsed = undefined
  }
  const valid =
    Array.isArray(parsed) &&
    parsed.length <= countMax &&
    parsed.every((names) => Array.isArray(names) && names.every((name) => typeof name === 'string'))
  if (valid) return parsed as string[][]
  const message =
    "The store's shared structures are damaged; restore the store from a copy, or read values with getBinary"
  throw new SealogError('ERR_SEALOG_CORRUPT', message)
}

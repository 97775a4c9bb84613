import { ValueCodecCode } from '../engine/engine.ts'
import { SealogError } from '../errors.ts'
import type { CustomEncoding, NamedEncoding, ValueEncoding } from '../options.ts'
import { getUtf8 } from './utf8.ts'
import { MsgpackCodec } from './msgpack.ts'
import type { StructureStore } from './structures.ts'

export type { StructureStore } from './structures.ts'

/** Translates between values and bytes. */
export interface ValueCodec<V = unknown> {
  readonly name: NamedEncoding | 'custom'
  /** As in the superblock. */
  readonly code: number
  /**
   * Writes the bytes of a value at `at` of `slab`.
   * @returns where they end in `slab`; or, if they do not fit there, an array that has them, to be used before the next call
   * @throws TypeError for what has no bytes in this encoding
   */
  encodeInto(slab: Buffer, at: number, value: V): number | Uint8Array
  /**
   * The value in `[start, end)`, sharing no memory with `buffer`. Fastest with `start` 0: msgpackr has a quicker way with
   * strings near the start of a buffer.
   * @throws SealogError ERR_SEALOG_CORRUPT for bytes that this encoding did not write
   */
  decode(buffer: Buffer, start: number, end: number): V
}

/** JSON.stringify and JSON.parse, with their rules. */
const jsonCodec: ValueCodec = {
  name: 'json',
  code: ValueCodecCode.json,
  encodeInto(slab, at, value) {
    // The types say string; for undefined, functions and symbols it is undefined.
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) throw new TypeError(`A value of type ${typeof value} cannot be stored as 'json'`)
    return putText(slab, at, text)
  },
  decode(buffer, start, end) {
    try {
      return JSON.parse(buffer.toString('utf8', start, end)) as unknown
    } catch (cause) {
      const message =
        "A value cannot be decoded as 'json'; open the store with the encoding that wrote it, or read it with getBinary"
      throw new SealogError('ERR_SEALOG_CORRUPT', message, { cause })
    }
  },
}

/** Well-formed strings, as UTF-8. */
const stringCodec: ValueCodec = {
  name: 'string',
  code: ValueCodecCode.string,
  encodeInto(slab, at, value) {
    if (typeof value !== 'string') throw new TypeError(`A value must be a string here, not of type ${typeof value}`)
    if (!value.isWellFormed())
      throw new TypeError('A value must be a well-formed string; this one has a lone surrogate')
    return putText(slab, at, value)
  },
  decode: (buffer, start, end) => getUtf8(buffer, start, end),
}

/** Byte arrays as they are; decoded to Buffers. */
const binaryCodec: ValueCodec = {
  name: 'binary',
  code: ValueCodecCode.binary,
  encodeInto(slab, at, value) {
    if (!(value instanceof Uint8Array))
      throw new TypeError(`A value must be a Uint8Array here, not of type ${typeof value}`)
    return putBytes(slab, at, value)
  },
  decode: copyOf,
}

function customCodec(encoding: CustomEncoding): ValueCodec {
  return {
    name: 'custom',
    code: ValueCodecCode.custom,
    encodeInto(slab, at, value) {
      const bytes: unknown = encoding.encode(value)
      if (bytes instanceof Uint8Array) return putBytes(slab, at, bytes)
      throw new TypeError(`The encode function of '${encoding.name ?? 'custom'}' must return a Uint8Array`)
    },
    decode: (buffer, start, end) => encoding.decode(copyOf(buffer, start, end)),
  }
}

/**
 * The value codec for an encoding from the options.
 * @param structures used by 'msgpack' only
 */
export function valueCodec(encoding: ValueEncoding, structures: StructureStore): ValueCodec {
  if (typeof encoding === 'object') return customCodec(encoding)
  switch (encoding) {
    case 'msgpack':
      return new MsgpackCodec(structures)
    case 'json':
      return jsonCodec
    case 'string':
      return stringCodec
    case 'binary':
      return binaryCodec
  }
}

function putText(slab: Buffer, at: number, text: string): number | Uint8Array {
  const room = slab.length - at
  // UTF-8 has one to three bytes for each unit of a string.
  if (text.length * 3 <= room || (text.length <= room && Buffer.byteLength(text) <= room))
    return at + slab.write(text, at)
  return Buffer.from(text)
}

function putBytes(slab: Buffer, at: number, bytes: Uint8Array): number | Uint8Array {
  if (bytes.length > slab.length - at) return bytes
  slab.set(bytes, at)
  return at + bytes.length
}

function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start)
  buffer.copy(copy, 0, start, end)
  return copy
}

import { KeyCodecCode } from '../engine/engine.ts'
import type { KeyEncoding } from '../options.ts'
import { checkKeyBytes, checkRoom, describeKey, keyBytesMax, keyRoomBytes } from './key-limits.ts'
import { orderedKeys } from './ordered-keys.ts'
import { endsOfPrefix, type PrefixBounds } from './prefix.ts'
import { getUtf8, putUtf8 } from './utf8.ts'

export { keyRoomBytes } from './key-limits.ts'
export { stringIsKeyBytes } from './ordered-keys.ts'

/** What one key, or one element of an array key, may be. */
export type KeyElement = null | boolean | number | string | symbol | Uint8Array
/** A key. The 'ordered' encoding takes all of these, 'utf8' non-empty strings, 'binary' non-empty byte arrays. */
export type Key = KeyElement | readonly KeyElement[]

/** Translates between keys and bytes whose order (memcmp, shorter first) is the order of the keys. */
export interface KeyCodec {
  readonly name: KeyEncoding
  /** As in the superblock. */
  readonly code: number
  /** Whether a string key may be handed to native as it is; native refuses one that it cannot take (KeyNeedsEncoding). */
  readonly takesStrings: boolean
  /**
   * Writes the bytes of a key at `at` of `target`; nothing of the key is kept.
   * @returns the count of bytes written, from 1 to 1984
   * @throws TypeError for what is no key in this encoding; SealogError ERR_SEALOG_KEY_TOO_LARGE; RangeError where
   *   `target` has less than {@link keyRoomBytes} behind `at`
   */
  encodeKey(key: unknown, target: Uint8Array, at: number): number
  /** The key in `[start, end)`, sharing no memory with `buffer`. */
  decodeKey(buffer: Buffer, start: number, end: number): Key
  /**
   * Writes the bounds of the keys that begin with `prefix`: the inclusive low one at `at`, directly behind it the exclusive
   * high one. Strings and byte arrays match longer ones; an array matches the arrays that begin with its elements.
   * @throws TypeError for what is no prefix in this encoding, otherwise as `encodeKey` (twice its room is needed)
   */
  encodePrefix(prefix: unknown, target: Uint8Array, at: number): PrefixBounds
}

/** Any well-formed, non-empty string, as UTF-8: the order is that of code points. */
const utf8Keys: KeyCodec = {
  name: 'utf8',
  code: KeyCodecCode.utf8,
  takesStrings: true,
  encodeKey(key, target, at) {
    if (typeof key !== 'string' || key === '')
      throw new TypeError(`A key must be a non-empty string here, not ${describeKey(key)}`)
    checkRoom(target, at)
    return putUtf8(key, target, at, at + keyBytesMax) - at
  },
  decodeKey: (buffer, start, end) => getUtf8(buffer, start, end),
  encodePrefix(prefix, target, at) {
    if (typeof prefix !== 'string') throw new TypeError(`A prefix must be a string here, not ${describeKey(prefix)}`)
    checkRoom(target, at + keyRoomBytes)
    const bytes = putUtf8(prefix, target, at, at + keyBytesMax) - at
    return endsOfPrefix(target, at, bytes)
  },
}

/** Any non-empty byte array, as it is; decoded to a Buffer of its own. */
const binaryKeys: KeyCodec = {
  name: 'binary',
  code: KeyCodecCode.binary,
  takesStrings: false,
  encodeKey(key, target, at) {
    if (!(key instanceof Uint8Array) || key.length === 0) {
      throw new TypeError(`A key must be a non-empty Uint8Array here, not ${describeKey(key)}`)
    }
    checkRoom(target, at)
    checkKeyBytes(key.length)
    target.set(key, at)
    return key.length
  },
  decodeKey: (buffer, start, end) => Buffer.from(buffer.subarray(start, end)),
  encodePrefix(prefix, target, at) {
    if (!(prefix instanceof Uint8Array)) {
      throw new TypeError(`A prefix must be a Uint8Array here, not ${describeKey(prefix)}`)
    }
    checkRoom(target, at + keyRoomBytes)
    target.set(prefix.subarray(0, checkKeyBytes(prefix.length)), at)
    return endsOfPrefix(target, at, prefix.length)
  },
}

/** The key codec of a name from the options. */
export function keyCodec(name: KeyEncoding): KeyCodec {
  return name === 'ordered' ? orderedKeys : name === 'utf8' ? utf8Keys : binaryKeys
}

/**
 * The 'ordered' key encoding: that of the ordered-binary package (which LMDB bindings for Node use), written anew because
 * the package cannot be used here: it builds its string reader with `eval` when it is imported, writes into the buffer it
 * reads, and several keys do not survive it. What the package gets right has the same bytes here (a test compares), and the
 * rest is as follows.
 *
 *   null 00   symbol 02 text   false 06   true 07   number 08..17 …   string [1b] text   bytes f8 escaped
 *   array of two and more: the elements with 00 between them; of one: the element and 00
 *
 * - Text is UTF-8, with 04 before every byte below 05, at any length (the package stops at 64 characters); 1b comes before a
 *   string that is empty or begins with a character below 1c. So no text holds 00, and none begins like another type.
 * - A string with a lone surrogate is refused: UTF-8 has no bytes for it.
 * - Numbers are doubles. -0 is 0, as in a Map. NaN is refused: it equals nothing. Bigints are refused: those that are also
 *   doubles would come back as numbers.
 * - Symbols are those of the global registry, `Symbol.for(…)`; no other comes back as itself.
 * - Bytes have a tag of their own (the package writes them raw, so they come back as something else) and sort last.
 * - An array has at least one element and no array in it. One of one element is a key of its own, between the element by
 *   itself and longer arrays that begin with it (for the package it is the element). An element is never undefined.
 */
import { KeyCodecCode } from '../engine/engine.ts'
import { SealogError } from '../errors.ts'
import { checkKeyBytes, checkRoom, describeKey, keyBytesMax, keyRoomBytes, keyTooLarge } from './key-limits.ts'
import type { Key, KeyCodec, KeyElement } from './keys.ts'
import { getNumber, numberBytesMax, putNumber } from './ordered-number.ts'
import { endsOfPrefix, type PrefixBounds } from './prefix.ts'
import { getUtf8, putText } from './utf8.ts'

const Tag = {
  Null: 0,
  Symbol: 2,
  Escape: 4,
  False: 6,
  True: 7,
  NumberFirst: 8,
  NumberLast: 23,
  Text: 27,
  Bytes: 0xf8,
} as const
/** Bytes below this are escaped in text and bytes. */
const escapeBelow = 5
/** Strings that begin with a character below this get a tag. */
const plainFirst = 28
/** Above the first byte of every string, below {@link Tag.Bytes}. */
const afterStrings = 0xf5

export const orderedKeys: KeyCodec = {
  name: 'ordered',
  code: KeyCodecCode.ordered,
  takesStrings: true,
  encodeKey(key, target, at) {
    checkRoom(target, at)
    return (Array.isArray(key) ? putArray(key, target, at) : putElement(key, target, at, at + keyBytesMax, false)) - at
  },
  decodeKey,
  encodePrefix(prefix, target, at) {
    checkRoom(target, at + keyRoomBytes)
    if (Array.isArray(prefix)) return arrayPrefix(prefix, target, at)
    if (typeof prefix !== 'string' && !(prefix instanceof Uint8Array)) {
      throw new TypeError(`A prefix must be a string, a Uint8Array or an array, not ${describeKey(prefix)}`)
    }
    const bytes = putElement(prefix, target, at, at + keyBytesMax, false) - at
    if (prefix === '') {
      target[at + bytes] = afterStrings
      return { lowBytes: bytes, highBytes: 1 }
    }
    return endsOfPrefix(target, at, bytes)
  },
}

/** Whether a string's UTF-8 is also its ordered encoding, so that native takes the string itself. */
export function stringIsKeyBytes(key: string): boolean {
  if (key === '' || key.charCodeAt(0) < plainFirst) return false
  for (let i = 1; i < key.length; i++) if (key.charCodeAt(i) < escapeBelow) return false
  return key.isWellFormed()
}

function putArray(key: readonly unknown[], target: Uint8Array, at: number): number {
  if (key.length === 0) throw new TypeError('An array that is a key must have at least one element')
  const limit = at + keyBytesMax
  for (let i = 0; i < key.length; i++) {
    if (i > 0) target[at++] = 0
    if (at >= limit) throw keyTooLarge()
    at = putElement(key[i], target, at, limit, true)
  }
  if (key.length === 1) target[at++] = 0
  if (at > limit) throw keyTooLarge()
  return at
}

/** The arrays that begin with these elements: exactly the keys that are `base`, or begin with `base 00`. */
function arrayPrefix(prefix: readonly unknown[], target: Uint8Array, at: number): PrefixBounds {
  const lowBytes = checkKeyBytes(putArray(prefix, target, at) - at)
  const baseBytes = prefix.length === 1 ? lowBytes - 1 : lowBytes
  if (baseBytes === keyBytesMax) return endsOfPrefix(target, at, lowBytes)
  target.copyWithin(at + lowBytes, at, at + baseBytes)
  target[at + lowBytes + baseBytes] = 1
  return { lowBytes, highBytes: baseBytes + 1 }
}

function putElement(key: unknown, target: Uint8Array, at: number, limit: number, inArray: boolean): number {
  switch (typeof key) {
    case 'string':
      return putString(key, target, at, limit)
    case 'number':
      if (Number.isNaN(key)) throw new TypeError('NaN cannot be a key')
      if (at + numberBytesMax > limit) throw keyTooLarge()
      return putNumber(key, target, at, inArray)
    case 'boolean':
      target[at] = key ? Tag.True : Tag.False
      return at + 1
    case 'symbol': {
      const text = Symbol.keyFor(key)
      if (text === undefined) throw new TypeError('A symbol that is a key must come from Symbol.for()')
      target[at] = Tag.Symbol
      return putString(text, target, at + 1, limit)
    }
    case 'object':
      if (key === null) {
        target[at] = Tag.Null
        return at + 1
      }
      if (key instanceof Uint8Array) return putBytes(key, target, at, limit)
      break
    case 'bigint':
    case 'function':
    case 'undefined':
  }
  if (inArray && Array.isArray(key)) throw new TypeError('An array that is a key cannot have an array in it')
  const where = inArray ? 'An element of an array that is a key' : 'A key'
  throw new TypeError(`${where} must be null, a boolean, number, string, symbol or Uint8Array, not ${describeKey(key)}`)
}

function putString(text: string, target: Uint8Array, at: number, limit: number): number {
  if (text === '' || text.charCodeAt(0) < plainFirst) target[at++] = Tag.Text
  return putText(text, target, at, limit, escapeBelow)
}

function putBytes(bytes: Uint8Array, target: Uint8Array, at: number, limit: number): number {
  target[at++] = Tag.Bytes
  for (const byte of bytes) {
    if (at >= limit) throw keyTooLarge()
    if (byte < escapeBelow) target[at++] = Tag.Escape
    target[at++] = byte
  }
  if (at > limit) throw keyTooLarge()
  return at
}

/** Where the last element that was read ends. */
let elementEnd = 0

function decodeKey(buffer: Buffer, start: number, end: number): Key {
  const first = getElement(buffer, start, end)
  if (elementEnd >= end) return first
  const key = [first]
  if (elementEnd === end - 1 && buffer[elementEnd] === 0) return key
  while (elementEnd < end) {
    if (buffer[elementEnd] !== 0) throw damagedKey()
    key.push(getElement(buffer, elementEnd + 1, end))
  }
  return key
}

function getElement(buffer: Buffer, at: number, end: number): KeyElement {
  const tag = at < end ? (buffer[at] ?? 0) : -1
  elementEnd = at + 1
  if (tag >= plainFirst && tag < afterStrings) return getString(buffer, at, end)
  if (tag >= Tag.NumberFirst && tag <= Tag.NumberLast) {
    elementEnd = Math.min(at + numberBytesMax, end)
    return getNumber(buffer, at, end)
  }
  switch (tag) {
    case Tag.Text:
      return getString(buffer, at + 1, end)
    case Tag.Null:
      return null
    case Tag.False:
      return false
    case Tag.True:
      return true
    case Tag.Symbol:
      return Symbol.for(getString(buffer, buffer[at + 1] === Tag.Text ? at + 2 : at + 1, end))
    case Tag.Bytes:
      return unescape(buffer, at + 1, end)
    default:
      throw damagedKey()
  }
}

function getString(buffer: Buffer, at: number, end: number): string {
  let i = at
  for (; i < end; i++) {
    const byte = buffer[i] ?? 0
    if (byte >= escapeBelow) continue
    if (byte === 0) break
    return unescape(buffer, at, end).toString('utf8')
  }
  elementEnd = i
  return getUtf8(buffer, at, i)
}

/** The bytes up to a separator or `end`, in memory of their own. */
function unescape(buffer: Buffer, at: number, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(end - at)
  let length = 0
  for (; at < end && buffer[at] !== 0; at++) {
    if (buffer[at] === Tag.Escape) at++
    bytes[length++] = buffer[at] ?? 0
  }
  elementEnd = at
  return bytes.subarray(0, length)
}

function damagedKey(): SealogError {
  return new SealogError(
    'ERR_SEALOG_CORRUPT',
    "The bytes of a key are not in the 'ordered' encoding; the store was written by something else, or is damaged",
  )
}

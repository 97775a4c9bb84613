/** Keys of each encoding: a small pool, so that they meet again, the corners, the limits, and what is no key. */
import fc from 'fast-check'
import type { Key, KeyElement, KeyEncoding, RangeOptions } from '../../src/index.ts'
import { anyKeys, anyRange, bytesKeys, textKeys } from '../support/key-model.ts'

export interface BadKey {
  readonly key: unknown
  readonly error: 'TypeError' | 'ERR_SEALOG_KEY_TOO_LARGE'
}

export interface KeySpace {
  readonly valid: fc.Arbitrary<Key>
  /** Those that are far from any limit. */
  readonly short: fc.Arbitrary<Key>
  readonly bad: fc.Arbitrary<BadKey>
  readonly ranges: fc.Arbitrary<RangeOptions>
  /** Key `n` of many, short or nearly as long as can be. */
  bulk(n: number, long: boolean): Key
}

const keyBytesMax = 1984
const bytes = (...values: number[]): Buffer => Buffer.from(values)

const orderedPool: Key[] = [
  null,
  [null],
  Symbol.for(''),
  Symbol.for('a\0'),
  false,
  true,
  [true, false],
  -Infinity,
  -1.5,
  -1,
  -0,
  0,
  [0],
  [-0, -1],
  Number.MIN_VALUE,
  1,
  2 ** 53,
  Infinity,
  '',
  [''],
  '\0',
  '\u0004',
  '\u001b',
  '\u001c',
  '__proto__',
  'constructor',
  'a',
  ['a'],
  ['a', null],
  ['a', 1],
  ['a', bytes(0)],
  'a\0',
  'aa',
  'ÿ',
  '\uf000',
  '\uffff',
  '\u{10000}',
  bytes(),
  [bytes(), 'x'],
  bytes(0),
  bytes(0, 1),
  bytes(4),
  bytes(0xff),
  bytes(0xff, 0xff),
]
const textPool = ['\0', '\0a', '\u0004', '__proto__', 'a', 'a\0', 'aa', 'b', 'é', '\uf000', '\ufffd', '\u{10000}']
const bytesPool = ['00', '0000', '01', '04', '7f', '80', 'ff', 'ff00', 'ffff'].map((hex) => Buffer.from(hex, 'hex'))

/** Keys with just so many bytes when they are encoded. */
const ofBytes: Record<KeyEncoding, readonly ((count: number) => Key)[]> = {
  ordered: [
    (count) => 'k'.repeat(count),
    (count) => 'k'.repeat(count - 4) + '\0\u0004',
    (count) => 'k'.repeat(count - 3) + '語',
    (count) => '\u001a' + 'k'.repeat(count - 2),
    (count) => Buffer.alloc(count - 1, 7),
    (count) => Buffer.concat([Buffer.alloc(count - 3, 7), Buffer.alloc(1)]),
    (count) => ['k'.repeat(count - 2), null],
    (count) => ['k'.repeat(count - 10), 1.5],
    (count) => ['k'.repeat(count - 1)],
    (count) => Symbol.for('k'.repeat(count - 1)),
  ],
  utf8: [(count) => 'k'.repeat(count), (count) => 'k'.repeat(count - 4) + '\u{1f600}'],
  binary: [(count) => Buffer.alloc(count), (count) => Buffer.alloc(count, 0xff)],
}

const noKeys: Record<KeyEncoding, readonly unknown[]> = {
  ordered: [NaN, 1n, {}, [], [['a']], [undefined], [NaN], Symbol('local'), '\ud800', ['\udc00'], new Date(0), noKey],
  utf8: ['', 1, null, ['a'], Buffer.from('a'), '\ud800', 'a\udfffb'],
  binary: [bytes(), 'a', 1, null, [bytes(1)], new Uint16Array(1)],
}

function noKey(): number {
  return 1
}

function longKeys(keys: KeyEncoding, counts: number[]): fc.Arbitrary<Key> {
  return fc.tuple(fc.constantFrom(...ofBytes[keys]), fc.constantFrom(...counts)).map(([make, count]) => make(count))
}

export function bulkKey(keys: KeyEncoding, n: number, long: boolean): Key {
  const digits = String((n * 7919) % 10_000).padStart(4, '0')
  if (keys === 'binary') return Buffer.from(long ? 'b'.repeat(keyBytesMax - 4) + digits : digits)
  if (long) return 'b'.repeat(keyBytesMax - 4) + digits
  return keys === 'utf8' || n % 2 === 0 ? `b${digits}` : ['b', n]
}

export function keySpace(keys: KeyEncoding): KeySpace {
  const pool: Record<KeyEncoding, Key[]> = { ordered: orderedPool, utf8: textPool, binary: bytesPool }
  const some: Record<KeyEncoding, fc.Arbitrary<Key>> = {
    ordered: anyKeys,
    utf8: textKeys.filter((key) => key !== ''),
    binary: bytesKeys.filter((key) => key.length > 0),
  }
  const short = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...pool[keys]) },
    { weight: 2, arbitrary: fc.nat(120).map((n) => bulkKey(keys, n, false)) },
    { weight: 1, arbitrary: some[keys] },
  )
  const valid = fc.oneof(
    { weight: 18, arbitrary: short },
    { weight: 1, arbitrary: longKeys(keys, [keyBytesMax - 1, keyBytesMax]) },
    { weight: 1, arbitrary: fc.nat(20).map((n) => bulkKey(keys, n, true)) },
  )
  const bad = fc.oneof(
    fc.constantFrom(...noKeys[keys]).map((key): BadKey => ({ key, error: 'TypeError' })),
    longKeys(keys, [keyBytesMax + 1, keyBytesMax + 2]).map((key): BadKey => ({
      key,
      error: 'ERR_SEALOG_KEY_TOO_LARGE',
    })),
  )
  // Two long bounds, and a prefix, have no room beside each other: that limit is tested in test/api.
  const offset = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.nat(12).map((n) => ({ offset: n })) },
  )
  const ranges = fc.tuple(anyRange(short), offset).map(([range, behind]) => ({ ...range, ...behind }))
  return { valid, short, bad, ranges, bulk: (n, long) => bulkKey(keys, n, long) }
}

const isArray = (key: Key): key is readonly KeyElement[] => Array.isArray(key)

function mapKey(key: Key, element: (element: KeyElement) => KeyElement): Key {
  return isArray(key) ? key.map(element) : element(key)
}

/** The key as it comes back: -0 is 0, byte arrays are Buffers. Shares no memory with what was given. */
export function normalKey(key: Key): Key {
  return mapKey(key, (element) =>
    typeof element === 'number' ? element + 0 : element instanceof Uint8Array ? Buffer.from(element) : element,
  )
}

/** A copy to give away, its byte arrays now in a Buffer, now in the middle of another array. */
export function givenKey(key: Key): Key {
  return mapKey(key, (element) => {
    if (!(element instanceof Uint8Array)) return element
    if (element.length % 2 === 0) return Buffer.from(element)
    const inside = new Uint8Array(element.length + 2)
    inside.set(element, 1)
    return inside.subarray(1, element.length + 1)
  })
}

/** What a caller may do to its key once the call is over. */
export function spoilKey(key: Key): void {
  if (key instanceof Uint8Array) key.fill(0xee)
  if (!isArray(key)) return
  for (const element of key) if (element instanceof Uint8Array) element.fill(0xee)
  ;(key as KeyElement[]).fill('spoilt')
}

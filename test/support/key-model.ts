/** Ordered keys without their encoding: what they may be, and how they sort. */
import fc from 'fast-check'
import type { Key, KeyElement, RangeOptions } from '../../src/index.ts'

const ranks = { null: 0, symbol: 1, boolean: 2, number: 3, string: 4, bytes: 5 } as const

function rankOf(element: KeyElement): number {
  if (element === null) return ranks.null
  if (typeof element === 'object') return ranks.bytes
  return ranks[typeof element as 'symbol' | 'boolean' | 'number' | 'string']
}

const byCodePoints = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

function compareElements(a: KeyElement, b: KeyElement): number {
  const byRank = rankOf(a) - rankOf(b)
  if (byRank !== 0) return byRank
  if (typeof a === 'string') return byCodePoints(a, b as string)
  if (typeof a === 'symbol') return byCodePoints(Symbol.keyFor(a)!, Symbol.keyFor(b as symbol)!)
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
  if (a === null) return 0
  const [left, right] = [Number(a), Number(b)]
  return left < right ? -1 : left > right ? 1 : 0
}

const isArray = (key: Key): key is readonly KeyElement[] => Array.isArray(key)
const elementsOf = (key: Key): readonly KeyElement[] => (isArray(key) ? key : [key])

/** Element by element; a key before the arrays that begin with it, and those before longer strings. */
export function compareKeys(a: Key, b: Key): number {
  const [left, right] = [elementsOf(a), elementsOf(b)]
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = compareElements(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length || Number(isArray(a)) - Number(isArray(b))
}

function begins(key: Key, prefix: Key): boolean {
  const elements = elementsOf(key)
  if (isArray(prefix)) {
    return (
      isArray(key) &&
      key.length >= prefix.length &&
      prefix.every((element, i) => compareElements(element, elements[i]!) === 0)
    )
  }
  const [first] = elements
  if (typeof prefix === 'string') return typeof first === 'string' && first.startsWith(prefix)
  const bytes = prefix as Uint8Array
  return first instanceof Uint8Array && Buffer.compare(first.subarray(0, bytes.length), bytes) === 0
}

/** What a range of sorted entries must give. */
export function rangeOf<E extends { readonly key: Key }>(sorted: readonly E[], options: RangeOptions): E[] {
  const { gt, gte, lt, lte, prefix, reverse, limit = Infinity, offset = 0 } = options
  const found = sorted.filter(
    ({ key }) =>
      (gt === undefined || compareKeys(key, gt) > 0) &&
      (gte === undefined || compareKeys(key, gte) >= 0) &&
      (lt === undefined || compareKeys(key, lt) < 0) &&
      (lte === undefined || compareKeys(key, lte) <= 0) &&
      (prefix === undefined || begins(key, prefix)),
  )
  if (reverse === true) found.reverse()
  return found.slice(offset, offset + limit)
}

/** Any character. (The units of fast-check's own come with tables that take seconds to make.) */
export const characters: fc.Arbitrary<string> = fc
  .oneof(fc.nat(0x7f), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((codePoint) => String.fromCodePoint(codePoint))

/** Strings that share beginnings, have NULs and other bytes that are escaped, and sort differently by UTF-16. */
export const textKeys: fc.Arbitrary<string> = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'b', '\0', '\u0004', '\u0005', '\u001b', '\u001c', 'ÿ', '\uf000', '\uffff', '\u{10000}'),
    maxLength: 4,
  }),
  fc.string({ unit: characters, maxLength: 12 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', ''),
)

export const bytesKeys: fc.Arbitrary<Buffer> = fc
  .oneof(
    fc.array(fc.constantFrom(0, 1, 4, 5, 0xf8, 0xff), { maxLength: 4 }),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 10 }),
  )
  .map((bytes) => Buffer.from(bytes))

const numberKeys = fc
  .oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true }), fc.maxSafeInteger())
  // As in a Map, -0 is 0.
  .map((number) => number + 0)

const elementKeys: fc.Arbitrary<KeyElement> = fc.oneof(
  { weight: 4, arbitrary: textKeys },
  { weight: 3, arbitrary: numberKeys },
  { weight: 2, arbitrary: bytesKeys },
  { weight: 1, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 1, arbitrary: textKeys.map((name) => Symbol.for(name)) },
)

export const anyKeys: fc.Arbitrary<Key> = fc.oneof(
  { weight: 2, arbitrary: elementKeys },
  { weight: 1, arbitrary: fc.array(elementKeys, { minLength: 1, maxLength: 4 }) },
)

/** Ranges with every combination of options that does not contradict itself. */
export function anyRange(keys: fc.Arbitrary<Key>, prefixed: fc.Arbitrary<Key> = keys): fc.Arbitrary<RangeOptions> {
  const low = fc.oneof(
    fc.constant({}),
    keys.map((gt) => ({ gt })),
    keys.map((gte) => ({ gte })),
  )
  const high = fc.oneof(
    fc.constant({}),
    keys.map((lt) => ({ lt })),
    keys.map((lte) => ({ lte })),
  )
  const prefixes = prefixed.filter((key) => typeof key === 'string' || (typeof key === 'object' && key !== null))
  const rest = fc.record(
    {
      prefix: prefixes.map((key) =>
        typeof key === 'string' ? Array.from(key).slice(0, 2).join('') : isArray(key) ? key.slice(0, 2) : key,
      ),
      reverse: fc.boolean(),
      limit: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.constant(Infinity)),
    },
    { requiredKeys: [] },
  )
  return fc.tuple(low, high, rest).map(([a, b, c]) => ({ ...a, ...b, ...c }))
}

export interface NumberedEntry {
  readonly key: Key
  readonly value: number
}

/** Each key once, in order, numbered. */
export function sortedEntries(keys: readonly Key[]): NumberedEntry[] {
  const sorted = [...keys].sort(compareKeys)
  return sorted
    .filter((key, i) => i === 0 || compareKeys(key, sorted[i - 1]!) !== 0)
    .map((key, value) => ({ key, value }))
}

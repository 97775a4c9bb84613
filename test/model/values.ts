/** Values of each encoding: small ones of every kind, ones of just so many bytes, and what is no value. */
import fc from 'fast-check'
import { characters } from '../support/key-model.ts'
import { type Shape, sizesOf } from './shape.ts'

/** A value that can be made as often as it is needed: to give away, and to compare with. */
export interface ValueSpec {
  /** An upper bound of its encoded bytes. */
  readonly bytes: number
  make(): unknown
  /** As it comes back. */
  expected(): unknown
}

export interface BadValue {
  readonly value: unknown
  readonly error: 'TypeError' | 'RangeError'
}

export interface ValueSpace {
  readonly small: fc.Arbitrary<ValueSpec>
  readonly sized: fc.Arbitrary<ValueSpec>
  /** Of more bytes than any value may have; undefined where that takes long to make. */
  readonly tooLarge: ValueSpec | undefined
  readonly bad: fc.Arbitrary<BadValue>
  ofBytes(bytes: number): ValueSpec
}

const smallBytesMax = 4096

function copyOf(value: unknown, normal: boolean): unknown {
  if (typeof value === 'number') return normal ? value + 0 : value
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return normal || value.length % 2 === 0 ? Buffer.from(value) : Uint8Array.from(value)
  if (value instanceof Date) return new Date(value)
  if (Array.isArray(value)) return value.map((element) => copyOf(element, normal))
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [copyOf(k, normal), copyOf(v, normal)]))
  return Object.fromEntries(Object.entries(value).map(([name, property]) => [name, copyOf(property, normal)]))
}

class Plain implements ValueSpec {
  readonly bytes = smallBytesMax
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
  make(): unknown {
    return copyOf(this.value, false)
  }
  expected(): unknown {
    return copyOf(this.value, true)
  }
}

export const plainValue = (value: unknown): ValueSpec => new Plain(value)

class Json extends Plain {
  override make(): unknown {
    return structuredClone(this.value)
  }
  override expected(): unknown {
    return JSON.parse(JSON.stringify(this.value))
  }
}

/** Encoded, it has just so many bytes. */
class Sized implements ValueSpec {
  readonly encoding: Shape['encoding']
  readonly bytes: number
  constructor(encoding: Shape['encoding'], bytes: number) {
    this.encoding = encoding
    this.bytes = bytes
  }
  make(): unknown {
    const { bytes, encoding } = this
    // Any two sizes differ in content, too.
    if (encoding === 'binary') return Buffer.alloc(bytes, `${bytes};`)
    const head = encoding === 'msgpack' ? (bytes < 33 ? 1 : bytes < 258 ? 2 : bytes < 65_539 ? 3 : 5) : 0
    const length = Math.max(0, bytes - (encoding === 'json' ? 2 : head))
    const piece = `${bytes};`
    return piece.repeat(Math.ceil(length / piece.length)).slice(0, length)
  }
  expected(): unknown {
    return this.make()
  }
}

/** More shapes of objects than can be shared. */
function objectOf(n: number): object {
  return { [`p${n}`]: n, common: `${n}`, [n % 2 === 0 ? 'even' : 'odd']: [{ inner: n }] }
}

const texts = fc.string({ unit: characters, maxLength: 20 })
const integers = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -40, max: 300 }))
const msgpackValues: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.nat(60).map(objectOf) },
  { weight: 2, arbitrary: texts },
  { weight: 2, arbitrary: integers },
  { weight: 1, arbitrary: fc.double() },
  { weight: 1, arbitrary: fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(texts, integers, fc.nat(60).map(objectOf)), { maxLength: 5 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown[]>(
      null,
      true,
      false,
      -0,
      NaN,
      Infinity,
      2 ** 53,
      -(2 ** 63),
      -(2 ** 31) - 1,
      '',
      [],
      {},
      [undefined, 1],
      { a: undefined },
      { constructor: 'c', toString: 1, hasOwnProperty: null },
      { 1: 'one', 0: 'zero', b: -0 },
      new Date(1_790_000_000_123),
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map([['b', { c: [] }]])],
      ]),
      Buffer.from([0, 255]),
      { bytes: Buffer.from('abc'), list: [Buffer.from([])] },
    ),
  },
)
const jsonValues = fc.oneof(
  fc.jsonValue({ maxDepth: 2, stringUnit: characters }),
  fc.constantFrom<unknown[]>(-0, NaN, [undefined], { a: undefined }, JSON.parse('{"__proto__": 1}'), new Date(0)),
)

function circular(): unknown {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

const badOf = (error: BadValue['error'], ...values: unknown[]): fc.Arbitrary<BadValue> =>
  fc.constantFrom(...values.map((value) => ({ value, error })))

const noValues: Record<Shape['encoding'], fc.Arbitrary<BadValue>> = {
  msgpack: badOf(
    'TypeError',
    undefined,
    () => 1,
    Symbol('x'),
    new Set([1]),
    new Float64Array(1),
    /x/,
    new Error('x'),
    '\udc00',
    { deep: [{ a: new Set() }] },
    JSON.parse('{"__proto__": 1}'),
    { __keys__: 1 },
    circular(),
  ),
  json: badOf('TypeError', undefined, () => 1, Symbol('x'), 1n, circular()),
  string: badOf('TypeError', undefined, null, 1, Buffer.from('a'), 'a\ud800'),
  binary: badOf('TypeError', undefined, null, 'a', [1], new Uint16Array(1)),
  custom: fc.oneof(badOf('TypeError', undefined, null, 7), badOf('RangeError', 'refused')),
}

const smallOf: Record<Shape['encoding'], fc.Arbitrary<ValueSpec>> = {
  msgpack: msgpackValues.map((value) => new Plain(value)),
  json: jsonValues.map((value) => new Json(value)),
  string: texts.map((value) => new Plain(value)),
  binary: fc.uint8Array({ maxLength: 200 }).map((value) => new Plain(value)),
  custom: texts.filter((text) => text !== 'refused').map((value) => new Plain(value)),
}

/** One less, and one more. */
const around = (...limits: number[]): number[] => limits.flatMap((limit) => [limit - 1, limit, limit + 1])

export function valueSpace(shape: Shape): ValueSpace {
  const { encoding } = shape
  const { inlineBytesMax, valueBytesMax, frameBytesMax } = sizesOf(shape)
  const ofBytes = (bytes: number): ValueSpec => new Sized(encoding, bytes)
  const sizes = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...around(32, 64, 128, 256, 512, 4096)) },
    { weight: 3, arbitrary: fc.constantFrom(...around(inlineBytesMax, 2 * inlineBytesMax, frameBytesMax, 16_384)) },
    // The buffers that are shared with native, and the block of a range.
    { weight: 2, arbitrary: fc.constantFrom(...around(65_536, 65_536 - 16 - 8)) },
    { weight: 1, arbitrary: fc.integer({ min: 10, max: 40_000 }) },
  )
  return {
    small: smallOf[encoding],
    sized: sizes.map(ofBytes),
    tooLarge: valueBytesMax < 2 ** 22 ? ofBytes(valueBytesMax + 1) : undefined,
    bad: noValues[encoding],
    ofBytes,
  }
}

/** What a caller may do to its value once the call is over. */
export function spoilValue(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0xdd)
  else if (Array.isArray(value)) {
    for (const element of value) spoilValue(element)
    value.length = 0
  } else if (value instanceof Map) value.clear()
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [name, property] of Object.entries(value)) {
      spoilValue(property)
      ;(value as Record<string, unknown>)[name] = 'spoilt'
    }
  }
}

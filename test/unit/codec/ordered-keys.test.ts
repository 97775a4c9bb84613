import fc from 'fast-check'
import { toBufferKey } from 'ordered-binary'
import { describe, expect, it } from 'vitest'
import { keyCodec, stringIsKeyBytes, type Key, type KeyElement } from '../../../src/codec/keys.ts'
import { isSealogError } from '../../../src/errors.ts'

const codec = keyCodec('ordered')

function encode(key: unknown): Buffer {
  const target = Buffer.alloc(4096, 0xaa)
  const bytes = codec.encodeKey(key, target, 16)
  expect(target.subarray(0, 16).every((byte) => byte === 0xaa)).toBe(true)
  return target.subarray(16, 16 + bytes)
}

/** Decodes out of the middle of a buffer whose other bytes are hostile. */
function decode(bytes: Buffer): Key {
  const padded = Buffer.concat([Buffer.alloc(3, 0), bytes, Buffer.alloc(3, 0x41)])
  return codec.decodeKey(padded, 3, 3 + bytes.length)
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 90 }),
  fc.string({
    unit: fc.constantFrom('\0', '\u0001', '\u0004', '\u0005', '\u001b', '\u001c', 'a', '\u00e9', '\uffff', '😀'),
    maxLength: 90,
  }),
)
const element: fc.Arbitrary<KeyElement> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true }).map((n) => n + 0),
  fc.integer(),
  text,
  text.map((name) => Symbol.for(name)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)
const key: fc.Arbitrary<Key> = fc.oneof(element, fc.array(element, { minLength: 1, maxLength: 4 }))

const rank = (value: KeyElement): number =>
  value === null
    ? 0
    : typeof value === 'symbol'
      ? 1
      : typeof value === 'boolean'
        ? 2
        : typeof value === 'number'
          ? 3
          : typeof value === 'string'
            ? 4
            : 5

function compareElements(a: KeyElement, b: KeyElement): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (typeof a === 'number' || typeof a === 'boolean') return Number(a) - Number(b) || 0
  if (a === null) return 0
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
  const [x, y] = [a, b].map((each) => Buffer.from(typeof each === 'symbol' ? each.description! : (each as string)))
  return Buffer.compare(x!, y!)
}

/** By elements; an element by itself comes before the arrays that begin with it. */
function compareKeys(a: Key, b: Key): number {
  const [x, y] = [a, b].map((each) => (Array.isArray(each) ? (each as KeyElement[]) : [each as KeyElement]))
  for (let i = 0; i < Math.min(x!.length, y!.length); i++) {
    const order = compareElements(x![i]!, y![i]!)
    if (order !== 0) return order
  }
  return x!.length - y!.length || Number(Array.isArray(a)) - Number(Array.isArray(b))
}

describe('ordered keys', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(key, (given) => {
        expect(decode(encode(given))).toStrictEqual(given)
      }),
      { numRuns: 2000 },
    )
  })

  it('order as a reference comparator says', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(Math.sign(compareKeys(a, b)))
      }),
      { numRuns: 2000 },
    )
  })

  it('order numbers, whose encodings have several lengths, by their value', () => {
    const near = fc
      .tuple(fc.integer({ min: -5, max: 5 }), fc.constantFrom(1, 2 ** -20, 2 ** -52, 2 ** 30, 2 ** 52))
      .map(([n, unit]) => n * unit + 0)
    const number: fc.Arbitrary<Key> = fc.oneof(
      near,
      fc.constantFrom(Infinity, -Infinity, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE),
    )
    const oneOrArray = fc.oneof(
      number,
      number.map((n) => [n as number]),
      fc.tuple(number, element).map(([n, e]) => [n as number, e]),
    )
    fc.assert(
      fc.property(oneOrArray, oneOrArray, (a, b) => {
        expect(Math.sign(Buffer.compare(encode(a), encode(b)))).toBe(Math.sign(compareKeys(a, b)))
        expect(decode(encode(a))).toStrictEqual(a)
      }),
      { numRuns: 2000 },
    )
  })

  it('have the bytes of ordered-binary wherever its own are sound', () => {
    // Its numbers next to a reused buffer carry stale bytes in no case; strings of 64 characters and more are not escaped.
    const short = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((s) => s.length < 64 && s.isWellFormed())
    const sound = fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.double({ noNaN: true }).map((n) => n + 0),
      fc.integer(),
      short,
      short.map((s) => Symbol.for(s)),
    )
    fc.assert(
      fc.property(fc.oneof(sound, fc.array(sound, { minLength: 2, maxLength: 4 })), (given) => {
        expect(encode(given)).toEqual(Buffer.from(toBufferKey(given as string)))
      }),
      { numRuns: 2000 },
    )
  })

  it('take -0 for 0', () => {
    expect(encode(-0)).toEqual(encode(0))
    expect(decode(encode(-0))).toBe(0)
  })

  it.each([
    ['undefined', undefined],
    ['NaN', NaN],
    ['a bigint', 1n],
    ['a lone surrogate', 'a\ud800'],
    ['a lone low surrogate', '\udc00a'],
    ['a symbol of its own', Symbol('a')],
    ['an object', { a: 1 }],
    ['a function', () => 1],
    ['an empty array', []],
    ['an array in an array', [1, [2]]],
    ['a hole', [1, undefined, 2]],
    ['a Float64Array', new Float64Array(1)],
  ])('refuse %s with a TypeError', (_, bad) => {
    expect(() => encode(bad)).toThrow(TypeError)
  })

  it('may have 1984 bytes and no more, whatever they are made of', () => {
    const longest = [
      'a'.repeat(1984),
      '\u0001'.repeat(991),
      Buffer.alloc(1983, 9),
      ['a'.repeat(1983)],
      Array.from({ length: 198 }, () => 1),
      Symbol.for('a'.repeat(1983)),
    ]
    for (const key of longest) {
      expect(encode(key).length).toBeLessThanOrEqual(1984)
      expect(decode(encode(key))).toStrictEqual(key)
    }
    const tooLong = [
      'a'.repeat(1985),
      'é'.repeat(993),
      '\u0001'.repeat(1000),
      Buffer.alloc(1984, 9),
      Buffer.alloc(1000, 1),
      ['a'.repeat(1984)],
      Array.from({ length: 199 }, () => 1),
      Array.from({ length: 1000 }, () => null),
    ]
    for (const key of tooLong) {
      expect(() => encode(key)).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_KEY_TOO_LARGE' }))
    }
  })

  it('never write far behind their limit', () => {
    const target = Buffer.alloc(1992, 0)
    expect(() => codec.encodeKey('\u0001'.repeat(1985), target, 0)).toThrow(/larger than 1984/)
    expect(() => codec.encodeKey('a', target, 1)).toThrow(RangeError)
  })

  it('share no memory with the buffer they are read from', () => {
    const bytes = encode(Buffer.from([1, 2, 3]))
    const read = codec.decodeKey(bytes, 0, bytes.length)
    bytes.fill(0xee)
    expect(read).toEqual(Buffer.from([1, 2, 3]))
  })

  it('that are not in this encoding are a typed error, never another exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        try {
          codec.decodeKey(Buffer.from(bytes), 0, bytes.length)
        } catch (error) {
          expect(isSealogError(error, 'ERR_SEALOG_CORRUPT')).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the string fast path', () => {
  it('is taken exactly where UTF-8 is the encoding', () => {
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: 'binary' })), (given) => {
        const same = given !== '' && given.isWellFormed() && encode(given).equals(Buffer.from(given))
        expect(stringIsKeyBytes(given)).toBe(same)
      }),
      { numRuns: 500 },
    )
  })
})

describe('ordered prefixes', () => {
  const within = (prefix: unknown, given: Key): boolean => {
    const target = Buffer.alloc(8192, 0xaa)
    const { lowBytes, highBytes } = codec.encodePrefix(prefix, target, 0)
    const bytes = encode(given)
    const low = target.subarray(0, lowBytes)
    const high = highBytes === undefined ? undefined : target.subarray(lowBytes, lowBytes + highBytes)
    return Buffer.compare(bytes, low) >= 0 && (high === undefined || Buffer.compare(bytes, high) < 0)
  }

  it('of strings match the strings that begin so, and the arrays that begin with such a string', () => {
    fc.assert(
      fc.property(text, key, (prefix, given) => {
        const first = Array.isArray(given) ? (given as KeyElement[])[0] : given
        expect(within(prefix, given)).toBe(typeof first === 'string' && first.startsWith(prefix))
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(text, text, (prefix, rest) => {
        expect(within(prefix, prefix + rest)).toBe(true)
      }),
    )
  })

  it('of arrays match the arrays that begin with these elements', () => {
    const small = fc.array(
      fc.constantFrom<KeyElement>(
        null,
        true,
        1,
        -1,
        '',
        'a',
        'ab',
        '\0',
        Symbol.for('a'),
        Buffer.from([0]),
        Buffer.from([255]),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(small, fc.oneof(small, element), (prefix, given) => {
        const begins =
          Array.isArray(given) && prefix.every((each, i) => i < given.length && compareElements(each, given[i]!) === 0)
        expect(within(prefix, given)).toBe(begins)
      }),
      { numRuns: 2000 },
    )
  })

  it('of bytes match the bytes that begin so', () => {
    const bytes = fc.uint8Array({ maxLength: 4, max: 255 }).map((each) => Buffer.from(each))
    const some = fc.array(fc.constantFrom(0, 1, 4, 5, 254, 255), { maxLength: 4 }).map((each) => Buffer.from(each))
    fc.assert(
      fc.property(fc.oneof(some, bytes), fc.oneof(some, bytes), (prefix, given) => {
        expect(within(prefix, given)).toBe(given.subarray(0, prefix.length).equals(prefix))
      }),
      { numRuns: 2000 },
    )
  })

  it('refuse what has no prefix', () => {
    for (const bad of [1, null, true, undefined, [], {}]) expect(() => within(bad, 'a')).toThrow(TypeError)
  })

  it('of the greatest length have a high bound that is no longer', () => {
    const target = Buffer.alloc(8192)
    expect(codec.encodePrefix(['a'.repeat(1982), null], target, 0)).toEqual({ lowBytes: 1984, highBytes: 1984 })
  })
})

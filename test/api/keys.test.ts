// Every kind of key comes back as it was given, in the order that docs give, up to the limit of its encoding.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Key, open, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { anyKeys, sortedEntries } from '../support/key-model.ts'
import { openScratch } from '../support/scratch.ts'

/** One of each kind and of each corner, in order. */
const inOrder: Key[] = [
  null,
  [null],
  [null, null],
  Symbol.for(''),
  Symbol.for('a'),
  Symbol.for('b'),
  false,
  true,
  [true, false],
  -Infinity,
  -Number.MAX_VALUE,
  -(2 ** 53),
  -1.5,
  -1,
  -Number.MIN_VALUE,
  0,
  [0],
  [0, -1],
  [0, 'a'],
  Number.MIN_VALUE,
  0.1,
  1,
  2,
  10,
  2 ** 32,
  2 ** 53,
  Infinity,
  '',
  [''],
  ['', ''],
  '\0',
  '\0\0',
  '\u0001',
  '\u0004',
  '\u0005',
  '\u001b',
  '\u001c',
  ' ',
  '__proto__',
  'a',
  ['a'],
  ['a', null],
  ['a', 1],
  ['a', 'b'],
  ['a', 'b', 'c'],
  ['a', Buffer.from([0])],
  'a\0',
  'a\u0004',
  'a\u0005',
  'aa',
  'b',
  'constructor',
  '\u007f',
  'ÿ',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  Buffer.from([]),
  [Buffer.from([]), 'x'],
  Buffer.from([0]),
  [Buffer.from([0])],
  Buffer.from([0, 0]),
  Buffer.from([0, 1]),
  Buffer.from([4]),
  Buffer.from([5]),
  Buffer.from([0xff]),
  Buffer.from([0xff, 0xff]),
]

/** Whatever asks for one key finds it. */
function expectFound(db: Store<number>, key: Key, value: number): void {
  expect(db.get(key)).toBe(value)
  expect(db.has(key)).toBe(true)
  expect(db.getEntry(key)?.value).toBe(value)
  expect(db.count({ gte: key, lte: key })).toBe(1)
  expectSame([...db.keys({ gte: key, limit: 1 })], [key])
}

describe('ordered keys', () => {
  it('of all kinds are kept apart, and are in order', () => {
    const db = openScratch<number>({ capacity: '8MiB' })
    const shuffled = inOrder.map((key, i) => ({ key, i })).sort((a, b) => ((a.i * 37) % 61) - ((b.i * 37) % 61))
    for (const { key, i } of shuffled) db.putSync(key, i)
    expectSame([...db.keys()], inOrder)
    expect([...db.values()]).toEqual(inOrder.map((_, i) => i))
    inOrder.forEach((key, i) => {
      expectFound(db, key, i)
    })
    expect(db.getMany(inOrder)).toEqual(inOrder.map((_, i) => i))
    db.close()
    const again = open<number>(db.path)
    expectSame([...again.keys({ reverse: true })], [...inOrder].reverse())
    for (const key of inOrder) expect(again.removeSync(key)).toBe(true)
    expect(again.count()).toBe(0)
    again.close()
  })

  it('of any kind are in the order of their elements', () => {
    fc.assert(
      fc.property(fc.array(anyKeys, { minLength: 1, maxLength: 60 }), (keys) => {
        const db = openScratch<number>({ capacity: '1MiB', segmentBytes: '16KiB' })
        const entries = sortedEntries(keys)
        for (const { key, value } of entries.toReversed()) db.putSync(key, value)
        expectSame([...db.range()], entries)
        for (const { key, value } of entries) expect(db.get(key)).toBe(value)
        db.close()
      }),
      { numRuns: 60 },
    )
  })

  it('are the same for -0 and 0, for byte arrays of any class, and for an array and its copy', () => {
    const db = openScratch<number>()
    db.putSync(-0, 1)
    expect(db.get(0)).toBe(1)
    expect(Object.is([...db.keys()][0], 0)).toBe(true)
    db.putSync(new Uint8Array([1, 2]), 2)
    expect(db.get(Buffer.from([1, 2]))).toBe(2)
    expect(db.get(new Uint8Array([0, 1, 2, 3]).subarray(1, 3))).toBe(2)
    db.putSync(['a', 1], 3)
    expect(db.get(Object.freeze(['a', 1]))).toBe(3)
  })

  it('named like properties of objects are nothing special', () => {
    const db = openScratch<number>()
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf']
    for (const name of names) expect(db.get(name)).toBeUndefined()
    names.forEach((name, i) => {
      db.putSync(name, i)
    })
    expect([...db.range()]).toEqual(names.map((key, value) => ({ key, value })))
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('may be changed by the caller after the call', async () => {
    const db = openScratch<number>()
    const bytes = Buffer.from('aaaa')
    const list = ['a', 1]
    const pending = [db.put(bytes, 1), db.put(list, 2)]
    bytes.fill('z')
    list[0] = 'z'
    await Promise.all(pending)
    const found = [...db.keys()]
    expectSame(found, [['a', 1], Buffer.from('aaaa')])
    ;(found[1] as Buffer).fill('y')
    expectSame([...db.keys()], [['a', 1], Buffer.from('aaaa')])
    const range = db.keys({ gte: bytes })
    bytes.fill(0)
    expect([...range]).toEqual([])
  })
})

describe('utf8 keys', () => {
  it('are strings in the order of code points', () => {
    const db = openScratch<number>({ keys: 'utf8' })
    const keys = [
      '\0',
      '\0a',
      '\u0001',
      'a',
      'a\0',
      'a\0b',
      'ab',
      '__proto__',
      'é',
      '\uf000',
      '\ufffd',
      '\uffff',
      '\u{10000}',
    ]
    const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    keys.forEach((key, i) => {
      db.putSync(key, i)
    })
    expect([...db.keys()]).toEqual(sorted)
    keys.forEach((key, i) => {
      expectFound(db, key, i)
    })
    expect([...db.keys({ prefix: 'a' })]).toEqual(['a', 'a\0', 'a\0b', 'ab'])
    expect([...db.keys({ prefix: '' })]).toEqual(sorted)
    for (const key of ['', 1, null, ['a'], Buffer.from('a'), '\ud800']) {
      expect(errorOf(() => db.get(key))).toBeInstanceOf(TypeError)
    }
  })
})

describe('binary keys', () => {
  it('are byte arrays in their order, and come back as Buffers', () => {
    const db = openScratch<number>({ keys: 'binary' })
    const keys = ['00', '0000', '01', '7f', '80', 'fe', 'ff', 'ff00', 'ffff'].map((hex) => Buffer.from(hex, 'hex'))
    keys.forEach((key, i) => {
      db.putSync(i % 2 === 0 ? key : new Uint8Array(key), i)
    })
    const found = [...db.keys()] as Buffer[]
    expectSame(found, keys)
    expect(found.every((key) => Buffer.isBuffer(key))).toBe(true)
    keys.forEach((key, i) => {
      expectFound(db, key, i)
    })
    expectSame([...db.keys({ prefix: Buffer.from([0xff]) })], keys.slice(6))
    expectSame([...db.keys({ prefix: Buffer.from([]) })], keys)
    for (const key of [Buffer.from([]), 'a', 1, null]) expect(errorOf(() => db.get(key))).toBeInstanceOf(TypeError)
  })
})

/** Keys that have just so many bytes when they are encoded. */
const ofBytes: Record<string, { keys: 'ordered' | 'utf8' | 'binary'; make: (bytes: number) => Key }> = {
  'ordered text': { keys: 'ordered', make: (bytes) => 'k'.repeat(bytes) },
  'ordered text with escapes': { keys: 'ordered', make: (bytes) => 'k'.repeat(bytes - 4) + '\0\u0004' },
  'ordered text of several bytes': { keys: 'ordered', make: (bytes) => 'k'.repeat(bytes - 6) + '語語' },
  'ordered text with a tag': { keys: 'ordered', make: (bytes) => '\u001a' + 'k'.repeat(bytes - 2) },
  'ordered bytes': { keys: 'ordered', make: (bytes) => Buffer.alloc(bytes - 1, 7) },
  'ordered bytes with escapes': {
    keys: 'ordered',
    make: (bytes) => Buffer.concat([Buffer.alloc(bytes - 3, 7), Buffer.alloc(1)]),
  },
  'an array of text': { keys: 'ordered', make: (bytes) => ['k'.repeat(bytes - 2), null] },
  'an array of one': { keys: 'ordered', make: (bytes) => ['k'.repeat(bytes - 1)] },
  'a symbol': { keys: 'ordered', make: (bytes) => Symbol.for('k'.repeat(bytes - 1)) },
  utf8: { keys: 'utf8', make: (bytes) => 'k'.repeat(bytes) },
  'utf8 of several bytes': { keys: 'utf8', make: (bytes) => 'k'.repeat(bytes - 4) + '\u{1f600}' },
  binary: { keys: 'binary', make: (bytes) => Buffer.alloc(bytes, 0) },
}

describe.each(Object.entries(ofBytes))('a key of %s', (_, { keys, make }) => {
  it('may have 1984 bytes when encoded', () => {
    const db = openScratch<number>({ keys })
    for (const bytes of [1983, 1984]) db.putSync(make(bytes), bytes)
    db.close()
    const again = open<number>(db.path)
    for (const bytes of [1983, 1984]) expectFound(again, make(bytes), bytes)
    expect([...again.range({ gt: make(1983), lte: make(1984) })].length).toBeLessThanOrEqual(1)
    expect(again.removeSync(make(1984))).toBe(true)
    expect(again.count()).toBe(1)
    again.close()
  })

  it('may not have 1985', async () => {
    const db = openScratch<number>({ keys })
    const key = make(1985)
    const { lsn } = db.stats()
    for (const call of [
      () => db.get(key),
      () => db.has(key),
      () => db.getEntry(key),
      () => db.removeSync(key),
      () => db.range({ gt: key }),
      () => {
        db.putSync(key, 1)
      },
      () => {
        db.batchSync([
          { type: 'put', key: make(10), value: 1 },
          { type: 'put', key, value: 1 },
        ])
      },
    ]) {
      expectRefusal(errorOf(call), 'ERR_SEALOG_KEY_TOO_LARGE')
    }
    expectRefusal(await rejectionOf(() => db.put(key, 1)), 'ERR_SEALOG_KEY_TOO_LARGE')
    expectRefusal(await rejectionOf(() => db.remove(key)), 'ERR_SEALOG_KEY_TOO_LARGE')
    expect(db.stats()).toMatchObject({ lsn, entries: 0 })
  })
})

describe('many keys of the greatest size', () => {
  it('split nodes as others do', () => {
    const db = openScratch<number>({ capacity: '16MiB' })
    const keys = Array.from({ length: 400 }, (_, i) => 'k'.repeat(1_980) + String((i * 7) % 400).padStart(4, '0'))
    keys.forEach((key, i) => {
      db.putSync(key, i)
    })
    expect([...db.keys()]).toEqual([...keys].sort())
    keys.forEach((key, i) => {
      if (i % 3 === 0) expect(db.removeSync(key)).toBe(true)
    })
    db.close()
    const again = open<number>(db.path)
    expect([...again.keys()]).toEqual(keys.filter((_, i) => i % 3 !== 0).sort())
    again.close()
  })
})

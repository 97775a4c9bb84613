// What is written comes back equal, in every encoding and of every size; memory is never shared with the caller.
import { deepStrictEqual } from 'node:assert'
import { describe, expect, it } from 'vitest'
import { open, type OpenOptions, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, expectSame } from '../support/expect.ts'
import { patternBytes } from '../support/golden-json.mjs'
import { openScratch } from '../support/scratch.ts'

/** In every form that there is of reading. */
function expectValue<V>(db: Store<V>, key: string, value: V): void {
  expectSame(db.get(key), value)
  expectSame(db.getEntry(key)?.value, value)
  expectSame(db.getMany([key]), [value])
  expectSame([...db.values({ gte: key, lte: key })], [value])
  expectSame([...db.range({ gte: key, lte: key })], [{ key, value }])
}

class Point {
  x = 1
  toJSON(): unknown {
    return { point: this.x }
  }
}

const jsonValues: unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  '',
  'ü\u{1f600}\0',
  [],
  {},
  [[1], { a: [] }],
  { a: { b: null } },
]
const encodings: Record<string, { options: OpenOptions; values: readonly unknown[] }> = {
  msgpack: {
    options: {},
    values: [
      ...jsonValues,
      Infinity,
      NaN,
      2 ** 53,
      -(2 ** 63),
      123_456_789_012_345_678n,
      -1n,
      new Date(0),
      new Date(1_790_000_000_123),
      new Map<unknown, unknown>([
        ['a', 1],
        [2, new Map([['b', { c: [] }]])],
      ]),
      Buffer.from([]),
      Buffer.from([0, 255]),
      [undefined, 1],
      { a: undefined },
      { constructor: 'c', toString: 1, hasOwnProperty: null },
      'x'.repeat(70_000),
      { text: 'y'.repeat(70_000), list: Array.from({ length: 5_000 }, (_, i) => i) },
    ],
  },
  json: { options: { encoding: 'json' }, values: [...jsonValues, 'z'.repeat(100_000)] },
  string: { options: { encoding: 'string' }, values: ['', 'a', '\0', 'ü語\u{1f600}', 'ü'.repeat(50_000)] },
  binary: {
    options: { encoding: 'binary' },
    values: [Buffer.from([]), Buffer.from([0]), patternBytes(3, 1_000), patternBytes(5, 90_000)],
  },
  custom: {
    options: {
      encoding: {
        name: 'reversed',
        encode: (value) => Buffer.from(Array.from(String(value)).reverse().join('')),
        decode: (bytes) => Array.from(Buffer.from(bytes).toString()).reverse().join(''),
      },
    },
    values: ['', 'abc', '語ü', 'x'.repeat(80_000)],
  },
}

describe.each(Object.entries(encodings))('values in %s', (_, { options, values }) => {
  it('come back equal, now and after the store was opened again', () => {
    const db = openScratch(options)
    values.forEach((value, i) => {
      db.putSync(`key ${i}`, value)
    })
    db.batchSync(values.map((value, i) => ({ type: 'put', key: `batch ${i}`, value })))
    const check = (store: Store): void => {
      values.forEach((value, i) => {
        expectValue(store, `key ${i}`, value)
        expectValue(store, `batch ${i}`, value)
      })
      expect(store.count()).toBe(values.length * 2)
    }
    check(db)
    db.close()
    const again = open(db.path, options)
    check(again)
    again.close()
  })
})

describe('msgpack', () => {
  it('keeps structures from session to session, more of them than can be shared', () => {
    const db = openScratch({ capacity: '8MiB' })
    const shaped = (i: number): object => Object.fromEntries([...Array(5).keys()].map((j) => [`field${i}_${j}`, i * j]))
    for (let i = 0; i < 200; i++) db.putSync(i, shaped(i % 100))
    db.close()
    const reader = open(db.path, { readOnly: true })
    for (let i = 0; i < 200; i++) expect(reader.get(i)).toEqual(shaped(i % 100))
    reader.close()
    const again = open(db.path)
    for (let i = 200; i < 300; i++) again.putSync(i, shaped(i))
    for (let i = 0; i < 300; i++) expect(again.get(i)).toEqual(shaped(i < 200 ? i % 100 : i))
    expect(again.count()).toBe(300)
    again.close()
  })

  it('stores what toJSON says', () => {
    const db = openScratch()
    db.putSync('a', new Point())
    db.putSync('b', [new Point(), new URL('https://example.org/')])
    expect(db.get('a')).toEqual({ point: 1 })
    expect(db.get('b')).toEqual([{ point: 1 }, 'https://example.org/'])
  })
})

describe('a custom encoding', () => {
  it('gets bytes that are its own, and may return bytes that it keeps', () => {
    const kept = Buffer.alloc(8)
    let last: Uint8Array | undefined
    const db = openScratch<number>({
      encoding: {
        encode(value) {
          kept.writeDoubleLE(value)
          return kept
        },
        decode(bytes) {
          last = bytes
          const value = Buffer.from(bytes).readDoubleLE()
          bytes.fill(0)
          return value
        },
      },
    })
    db.putSync('a', 1.5)
    db.putSync('b', 2.5)
    void db.put('c', 3.5)
    db.batchSync([
      { type: 'put', key: 'd', value: 4.5 },
      { type: 'put', key: 'e', value: 5.5 },
    ])
    for (let round = 0; round < 2; round++) expect([...db.values()]).toEqual([1.5, 2.5, 3.5, 4.5, 5.5])
    expect(last?.length).toBe(8)
  })

  it('has its own exceptions come through, and nothing is written', () => {
    const db = openScratch<string>({
      encoding: {
        encode(value) {
          if (value === 'bad') throw new RangeError('cannot')
          return value === 'worse' ? ('text' as never) : Buffer.from(value)
        },
        decode(bytes) {
          if (bytes.length === 3) throw new RangeError('cannot')
          return String(bytes)
        },
      },
    })
    db.putSync('a', 'abc')
    db.putSync('b', 'good')
    for (const [value, kind] of [
      ['bad', RangeError],
      ['worse', TypeError],
    ] as const) {
      const put = (): void => {
        db.putSync('b', value)
      }
      const batch = (): void => {
        db.batchSync([
          { type: 'put', key: 'c', value: 'x' },
          { type: 'put', key: 'd', value },
        ])
      }
      expect(errorOf(put)).toBeInstanceOf(kind)
      expect(errorOf(batch)).toBeInstanceOf(kind)
    }
    expect([...db.keys()]).toEqual(['a', 'b'])
    expect(db.get('b')).toBe('good')
    expect(errorOf(() => db.get('a'))).toBeInstanceOf(RangeError)
    expect(errorOf(() => [...db.values()])).toBeInstanceOf(RangeError)
    expect(db.stats().pins.snapshots).toBe(0)
  })
})

describe('values of any size', () => {
  const chunk = 522_208
  const sizes = [0, 1, 63, 64, 65, 511, 512, 4_095, 4_096, 16_384, 16_385, 65_535, 65_536, 65_537]
  const large = [
    chunk - 4_096,
    chunk - 64,
    chunk - 1,
    chunk,
    chunk + 1,
    chunk + 64,
    2 ** 20,
    2 * chunk,
    2 * chunk + 1,
    2 ** 22,
  ]

  it.each([
    ['small', '64KiB', sizes],
    ['large', '2MiB', large],
  ] as const)('come back in full, in %s segments', (_, segmentBytes, all) => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '96MiB', segmentBytes })
    for (const size of all) db.putSync(String(size), patternBytes(size % 251, size))
    db.batchSync(
      all.map((size) => ({ type: 'put', key: `batch ${size}`, value: patternBytes((size + 1) % 251, size) })),
    )
    const check = (store: Store<Buffer>): void => {
      for (const size of all) {
        expect(store.get(String(size))?.equals(patternBytes(size % 251, size))).toBe(true)
        expect(store.getEntry(String(size))?.value.equals(patternBytes(size % 251, size))).toBe(true)
        expect(store.getBinary(`batch ${size}`)?.equals(patternBytes((size + 1) % 251, size))).toBe(true)
      }
      for (const { key, value } of store.range({ prefix: 'batch' })) {
        const size = Number((key as string).slice(6))
        expect(value.equals(patternBytes((size + 1) % 251, size))).toBe(true)
      }
    }
    check(db)
    db.close()
    const again = open<Buffer>(db.path)
    check(again)
    again.close()
  })

  it('come back in full with 64 MiB, also after one replaced the other', () => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '256MiB', segmentBytes: '2MiB' })
    const [first, second] = [3, 7].map((fill) => Buffer.alloc(2 ** 26, fill)) as [Buffer, Buffer]
    first.writeUInt32LE(0xdeadbeef, 2 ** 25)
    db.putSync('a', first)
    expect(db.get('a')?.equals(first)).toBe(true)
    db.putSync('a', second)
    expect([...db.values()][0]?.equals(second)).toBe(true)
    db.close()
    const again = open<Buffer>(db.path)
    expect(again.getBinary('a')?.equals(second)).toBe(true)
    expect(again.removeSync('a')).toBe(true)
    again.close()
  })

  it('are refused above what small segments can name', () => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '32MiB', segmentBytes: '32KiB' })
    const fits = patternBytes(9, 2 * 2 ** 20)
    db.putSync('a', fits)
    expectRefusal(
      errorOf(() => {
        db.putSync('a', Buffer.alloc(6 * 2 ** 20))
      }),
      'ERR_SEALOG_VALUE_TOO_LARGE',
    )
    expect(db.get('a')?.equals(fits)).toBe(true)
    expect(db.count()).toBe(1)
  })
})

describe('memory', () => {
  it('that was returned is never written to again', () => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '8MiB' })
    const kept: [Buffer, Buffer][] = []
    const keep = (value: Buffer): void => {
      kept.push([value, Buffer.from(value)])
    }
    for (let i = 0; i < 600; i++) {
      const key = i % 17
      db.putSync(key, patternBytes(i % 251, (i * 97) % 9_000))
      keep(db.get(key)!)
      keep(db.getBinary(key)!)
      if (i % 3 === 0) keep(db.getEntry(key)!.value)
      if (i % 50 === 0) for (const value of db.values()) keep(value)
    }
    for (const [value, copy] of kept) expect(value.equals(copy)).toBe(true)
  })

  it('that was returned is the caller’s to write to', () => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '8MiB' })
    const content = [10, 5_000, 30_000, 300_000].map((size) => patternBytes(3, size))
    content.forEach((value, i) => {
      db.putSync(i, value)
    })
    for (let i = 0; i < content.length; i++) {
      const [first, second] = [db.get(i)!, db.getBinary(i)!]
      first.fill(0xaa)
      expect(second.equals(content[i]!)).toBe(true)
      second.fill(0xbb)
      for (const value of db.values({ gte: i, lte: i })) value.fill(0xcc)
      expect(db.get(i)?.equals(content[i]!)).toBe(true)
    }
    const [a, b] = [db.get(0)!, db.get(0)!]
    a.fill(1)
    expect(b.equals(content[0]!)).toBe(true)
  })

  it('that was given may be changed after the call', async () => {
    const db = openScratch<Buffer>({ encoding: 'binary', capacity: '8MiB' }, 'disk')
    for (const size of [10, 5_000, 100_000, 600_000]) {
      const given = patternBytes(5, size)
      const pending = [db.put('a', given), db.batch([{ type: 'put', key: 'b', value: given }])]
      given.fill(0)
      await Promise.all(pending)
      expect(db.get('a')?.equals(patternBytes(5, size))).toBe(true)
      expect(db.get('b')?.equals(patternBytes(5, size))).toBe(true)
    }
    const objects = openScratch<{ list: number[] }>()
    const given = { list: [1] }
    const pending = objects.put('a', given)
    given.list.push(2)
    await pending
    const found = objects.get('a')!
    found.list.push(3)
    expect(objects.get('a')).toEqual({ list: [1] })
  })

  it('that was returned is a Buffer like others', () => {
    const db = openScratch<Buffer>({ encoding: 'binary' })
    for (const value of [Buffer.from([]), Buffer.from('small'), patternBytes(3, 100_000)]) {
      db.putSync('a', value)
      for (const found of [db.get('a'), db.getBinary('a'), db.getEntry('a')?.value, ...db.values()]) {
        expect(Buffer.isBuffer(found)).toBe(true)
        deepStrictEqual(found, value)
      }
    }
  })
})

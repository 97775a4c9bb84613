// Mistakes of the caller are TypeErrors and RangeErrors, and nothing has happened: no file is made, none is changed.
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type BatchOperation, type Key, open, openAsync, type OpenOptions, type Store } from '../../src/index.ts'
import { errorOf, expectMistakeUntouched, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory, small } from '../support/scratch.ts'

const wrongTypes: Record<string, unknown> = {
  'no object': 'readOnly',
  null: null,
  'an unknown option': { capactiy: '4MiB' },
  'an option of openAsync': { onProgress: () => undefined },
  'a capacity that is a boolean': { capacity: true },
  'a capacity without meaning': { capacity: 'large' },
  'a capacity in unclear units': { capacity: '1GB' },
  'a capacity of null': { capacity: null },
  'a durability that there is not': { durability: 'eventual' },
  'a domain that there is not': { require: 'tape' },
  'a readOnly that is a number': { readOnly: 1 },
  'keys in an encoding that there is not': { keys: 'utf16' },
  'values in an encoding that there is not': { encoding: 'xml' },
  'an encoding without decode': { encoding: { encode: () => new Uint8Array() } },
  'an encoding of null': { encoding: null },
  'checkpointBytes that are an object': { checkpointBytes: {} },
  'a createIfMissing that is a string': { createIfMissing: 'yes' },
  'readOnly and createIfMissing': { readOnly: true, createIfMissing: true },
  'errorIfExists without createIfMissing': { errorIfExists: true, createIfMissing: false },
  'a waitMs that is a string': { waitMs: '1s' },
  'a flush that there is not': { flush: 'pwb' },
}

const outOfBounds: Record<string, OpenOptions> = {
  'a capacity of 0': { capacity: 0 },
  'a negative capacity': { capacity: -1 },
  'a broken capacity': { capacity: 4_194_304.5 },
  'an infinite capacity': { capacity: Infinity },
  'a capacity of NaN': { capacity: NaN },
  'a capacity below the least': { capacity: '64KiB' },
  'a capacity above the most': { capacity: '9TiB' },
  'segments of an odd size': { segmentBytes: 65_537 },
  'segments that are too small': { segmentBytes: '8KiB' },
  'segments that are too large': { segmentBytes: '4MiB' },
  'checkpointBytes that are too few': { checkpointBytes: 65_535 },
  'a negative waitMs': { waitMs: -1 },
  'a waitMs without end': { waitMs: Infinity },
  'a waitMs of NaN': { waitMs: NaN },
}

const kinds = [
  ...Object.entries(wrongTypes).map(([what, options]) => ({ what, options, kind: TypeError })),
  ...Object.entries(outOfBounds).map(([what, options]) => ({ what, options, kind: RangeError })),
]

describe.each(kinds)('$what', ({ what, options, kind }) => {
  it('is refused by open, and nothing is made', () => {
    expectMistakeUntouched(join(scratchDirectory(), 'store.sealog'), () => open('store', options as OpenOptions), kind)
    const path = join(scratchDirectory(), 'store')
    const error = errorOf(() => open(path, options as OpenOptions))
    expect(error).toBeInstanceOf(kind)
    expect(readdirSync(dirname(path))).toEqual([])
  })

  // What open alone does not know is below.
  const toOpenAsync = what === 'an option of openAsync' ? [] : ['openAsync']
  it.each(toOpenAsync)('is refused by %s, with a rejection', async () => {
    const path = join(scratchDirectory(), 'store')
    const error = await rejectionOf(() => openAsync(path, options as OpenOptions))
    expect(error).toBeInstanceOf(kind)
    expect(readdirSync(dirname(path))).toEqual([])
  })

  it('is refused for a store that exists, and that stays as it is', () => {
    const db = openScratch()
    const path = db.path
    db.putSync('a', 1)
    db.close()
    expectMistakeUntouched(path, () => open(path, options as OpenOptions), kind)
  })
})

describe('options of openAsync of the wrong type', () => {
  it.each([{ onProgress: 1 }, { signal: {} }, { signal: new AbortController() }])('%o', async (options) => {
    const path = join(scratchDirectory(), 'store')
    expect(await rejectionOf(() => openAsync(path, options as OpenOptions))).toBeInstanceOf(TypeError)
    expect(readdirSync(dirname(path))).toEqual([])
  })
})

describe('the bounds of capacity', () => {
  it('are given by the message, and the least one works', () => {
    const path = join(scratchDirectory(), 'store')
    const { message } = errorOf(() => open(path, { capacity: 1, segmentBytes: '64KiB' })) as Error
    const least = Number(/from (\d+) to/.exec(message)?.[1])
    expect(errorOf(() => open(path, { capacity: least - 65_536, segmentBytes: '64KiB' }))).toBeInstanceOf(RangeError)
    const db = open(path, { capacity: least - 65_535, segmentBytes: '64KiB' })
    expect(db.info.fileBytes).toBe(least)
    db.putSync('a', 1)
    db.close()
    const again = open(path)
    expect(again.get('a')).toBe(1)
    again.close()
  })
})

describe('a path that is none', () => {
  it.each(['', 'a\0b', undefined, 7, Buffer.from('x'), null])('%o', async (path) => {
    expect(errorOf(() => open(path as string, small))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => openAsync(path as string, small))).toBeInstanceOf(TypeError)
  })
})

describe('encodings other than those of the store', () => {
  const custom = { encode: () => new Uint8Array(1), decode: () => 1 }
  it.each<[OpenOptions, OpenOptions]>([
    [{}, { keys: 'utf8' }],
    [{ keys: 'utf8' }, { keys: 'ordered' }],
    [{}, { encoding: 'json' }],
    [{}, { encoding: custom }],
    [{ encoding: custom }, {}],
    [{ encoding: custom }, { encoding: 'binary' }],
  ])('created with %o, opened with %o', (created, opened) => {
    const db = openScratch(created)
    const path = db.path
    db.close()
    expectMistakeUntouched(path, () => open(path, opened), TypeError)
  })
})

/** One that throws at its second property would do half of a batch. */
const badOperations: unknown[] = [
  [
    { type: 'put', key: 'a', value: 2 },
    { type: 'remove', key: 'a' },
  ],
  [{ type: 'put', key: 'a', value: 2 }, null],
  [{ type: 'put', key: 'a', value: 2 }, 'put'],
  [
    { type: 'put', key: 'a', value: 2 },
    { type: 'put', key: undefined, value: 1 },
  ],
  [
    { type: 'put', key: 'a', value: 2 },
    { type: 'put', key: 'b' },
  ],
  [
    { type: 'del', key: 'a' },
    { type: 'put', key: 'b', value: Symbol('x') },
  ],
  undefined,
  7,
  { type: 'del', key: 'a' },
]

function storeOfOne(): Store {
  const db = openScratch()
  db.putSync('a', 1)
  return db
}

function expectUnchanged(db: Store, lsn: number): void {
  expect([...db.range()]).toEqual([{ key: 'a', value: 1 }])
  expect(db.stats().lsn).toBe(lsn)
}

describe('a batch with a mistake in it', () => {
  it.each(badOperations)('%o does nothing', async (operations) => {
    const db = storeOfOne()
    const { lsn } = db.stats()
    expect(
      errorOf(() => {
        db.batchSync(operations as BatchOperation[])
      }),
    ).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.batch(operations as BatchOperation[]))).toBeInstanceOf(TypeError)
    expectUnchanged(db, lsn)
    // The batch behind it is whole.
    db.batchSync([
      { type: 'put', key: 'x', value: 'X' },
      { type: 'del', key: 'a' },
    ])
    expect([...db.range()]).toEqual([{ key: 'x', value: 'X' }])
  })
})

const noKeys: unknown[] = [
  undefined,
  NaN,
  1n,
  {},
  [],
  [['a']],
  [undefined],
  Symbol('local'),
  '\ud800',
  new Date(0),
  () => 1,
]

describe('what is no key', () => {
  it.each(noKeys)('%o', async (given) => {
    const db = storeOfOne()
    const { lsn } = db.stats()
    const key = given as Key
    const calls: (() => unknown)[] = [
      () => db.get(key),
      () => db.getBinary(key),
      () => db.getEntry(key),
      () => db.getMany(['a', key]),
      () => db.has(key),
      () => {
        db.putSync(key, 1)
      },
      () => db.removeSync(key),
      () => {
        db.batchSync([{ type: 'del', key }])
      },
    ]
    for (const call of calls) expect(errorOf(call)).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.put(key, 1))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.remove(key))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.batch([{ type: 'put', key, value: 1 }]))).toBeInstanceOf(TypeError)
    if (given !== undefined) {
      for (const name of ['gt', 'gte', 'lt', 'lte', 'prefix']) {
        expect(errorOf(() => db.range({ [name]: key }))).toBeInstanceOf(TypeError)
        expect(errorOf(() => db.count({ [name]: key }))).toBeInstanceOf(TypeError)
      }
    }
    expectUnchanged(db, lsn)
  })
})

const noValues: unknown[] = [
  undefined,
  () => 1,
  Symbol('x'),
  new Set([1]),
  new Float64Array(1),
  new ArrayBuffer(1),
  /x/,
  new Error('x'),
  Promise.resolve(),
  Object(1),
  '\udc00',
  { deep: [new Set()] },
  JSON.parse('{"__proto__": 1}'),
  { __keys__: 1 },
]

describe('what is no value', () => {
  it.each(noValues)('%o', async (value) => {
    const db = storeOfOne()
    const { lsn } = db.stats()
    expect(
      errorOf(() => {
        db.putSync('a', value)
      }),
    ).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.put('b', value))).toBeInstanceOf(TypeError)
    expectUnchanged(db, lsn)
  })
})

describe('range options with a mistake', () => {
  const given: [unknown, typeof TypeError][] = [
    ['a', TypeError],
    [null, TypeError],
    [{ form: 'a' }, TypeError],
    [{ gt: 'a', gte: 'a' }, TypeError],
    [{ lt: 'a', lte: 'a' }, TypeError],
    [{ reverse: 1 }, TypeError],
    [{ prefix: 7 }, TypeError],
    [{ limit: '1' }, TypeError],
    [{ limit: -1 }, RangeError],
    [{ limit: 1.5 }, RangeError],
    [{ limit: NaN }, RangeError],
  ]
  it.each(given)('%o', (options, kind) => {
    const db = storeOfOne()
    const range = options as { limit: number }
    for (const call of [() => db.range(range), () => db.keys(range), () => db.values(range), () => db.count(range)]) {
      expect(errorOf(call)).toBeInstanceOf(kind)
    }
    expect(db.stats().pins.snapshots).toBe(0)
  })
})

// A range is what its options say of the entries that there were when it began.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RangeOptions, Store } from '../../src/index.ts'
import { errorOf, expectRefusal, expectSame } from '../support/expect.ts'
import { anyKeys, anyRange, rangeOf, sortedEntries } from '../support/key-model.ts'
import { openScratch } from '../support/scratch.ts'

function expectRange(db: Store<number>, sorted: readonly { key: never; value: number }[], options: RangeOptions): void {
  const expected = rangeOf(sorted, options)
  expectSame([...db.range(options)], expected)
  expectSame(
    [...db.keys(options)],
    expected.map(({ key }) => key),
  )
  expect([...db.values(options)]).toEqual(expected.map(({ value }) => value))
  expect(db.count(options)).toBe(expected.length)
}

describe('every combination of options', () => {
  it('gives what a sorted list gives, with keys of all kinds', () => {
    const keys = fc.sample(anyKeys, { numRuns: 400, seed: 20_261_122 })
    const entries = sortedEntries(keys)
    const db = openScratch<number>({ capacity: '8MiB' })
    for (const { key, value } of entries) db.putSync(key, value)
    const bounds = fc.oneof(fc.constantFrom(...keys), anyKeys)
    fc.assert(
      fc.property(anyRange(bounds), (options) => {
        expectRange(db, entries as never, options)
      }),
      { numRuns: 400 },
    )
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('gives what a sorted list gives, over many blocks', () => {
    const db = openScratch<number>({ capacity: '16MiB' })
    const entries = Array.from({ length: 5_000 }, (_, i) => ({ key: i * 2, value: i }))
    db.batchSync(entries.map((entry) => ({ type: 'put', ...entry })))
    const bounds = fc.integer({ min: -5, max: 10_005 })
    const limits = fc.constantFrom(0, 1, 511, 512, 513, 1024, 5_000, 5_001, Infinity)
    fc.assert(
      fc.property(anyRange(bounds, fc.constant('unused')), limits, (options, limit) => {
        const { prefix, ...bounded } = options
        expect(prefix === undefined || typeof prefix === 'string').toBe(true)
        expectRange(db, entries as never, { ...bounded, limit })
      }),
      { numRuns: 40 },
    )
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('is empty where the bounds cross, and in an empty store', () => {
    const db = openScratch<number>()
    for (const options of [{}, { gt: 'a' }, { prefix: 'a' }, { reverse: true }]) expectRange(db, [], options)
    const entries = [1, 2, 3].map((key) => ({ key, value: key }))
    for (const { key, value } of entries) db.putSync(key, value)
    for (const options of [
      { gt: 3, lt: 1 },
      { gte: 2, lt: 2 },
      { gt: 2, lte: 2 },
      { gt: 2, lt: 2 },
      { gte: 'a' },
      { limit: 0 },
    ]) {
      expectRange(db, entries as never, options)
      expectRange(db, entries as never, { ...options, reverse: true })
    }
  })

  it('is the same as no options for undefined ones', () => {
    const db = openScratch<number>()
    db.putSync('a', 1)
    const options = {
      gt: undefined,
      prefix: undefined,
      limit: undefined,
      reverse: undefined,
    } as unknown as RangeOptions
    expect([...db.keys(options)]).toEqual(['a'])
    expect([...db].map(({ key }) => key)).toEqual(['a'])
  })
})

/** More than a block of entries, so that an iterator has to go on with its snapshot. */
function largeStore(): Store<number> {
  const db = openScratch<number>({ capacity: '16MiB' })
  db.batchSync(Array.from({ length: 2_000 }, (_, key) => ({ type: 'put', key, value: key })))
  return db
}

const all = Array.from({ length: 2_000 }, (_, i) => i)

describe('an iterator', () => {
  it.each([false, true])('shows one state whatever is written meanwhile (reverse: %s)', async (reverse) => {
    const db = largeStore()
    const iterator = db.range({ reverse })
    const seen = [iterator.next().value!]
    for (let i = 0; i < 2_000; i += 2) db.removeSync(i)
    for (let i = 1; i < 2_000; i += 2) void db.put(i, -i)
    db.batchSync([
      { type: 'put', key: -1, value: 0 },
      { type: 'put', key: 0.5, value: 0 },
      { type: 'put', key: 5_000, value: 0 },
    ])
    await db.flush()
    for (const entry of iterator) {
      seen.push(entry)
      if (entry.key === 1_000) db.putSync(1_001.5, 1)
    }
    const expected = all.map((i) => ({ key: i, value: i }))
    expect(seen).toEqual(reverse ? expected.reverse() : expected)
    expect(db.stats().pins.snapshots).toBe(0)
    expect(db.count()).toBe(1_004)
  })

  it('has a state of its own, beside others', () => {
    const db = openScratch<number>({ capacity: '16MiB' })
    const iterators = []
    for (let round = 0; round < 8; round++) {
      db.batchSync(Array.from({ length: 800 }, (_, key) => ({ type: 'put', key, value: round })))
      const iterator = db.values()
      iterator.next()
      iterators.push(iterator)
    }
    expect(db.stats().pins.snapshots).toBe(8)
    iterators.forEach((iterator, round) => {
      const rest = [...iterator]
      expect(rest.length).toBe(799)
      expect(new Set(rest)).toEqual(new Set([round]))
    })
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('begins when it is first asked, and not before', () => {
    const db = largeStore()
    const iterator = db.keys()
    expect(db.stats().pins.snapshots).toBe(0)
    db.putSync(-1, 0)
    expect(iterator.next().value).toBe(-1)
    expect(db.stats().pins.snapshots).toBe(1)
    iterator.return()
    expect(db.stats().pins.snapshots).toBe(0)
  })

  const leaving: Record<string, (db: Store<number>) => void> = {
    'break of its loop': (db) => {
      for (const { key } of db.range()) if (key === 3) break
    },
    'an exception in its loop': (db) => {
      errorOf(() => {
        for (const key of db.keys()) throw new Error(String(key))
      })
    },
    'return()': (db) => {
      const iterator = db.values()
      iterator.next()
      expect(iterator.return()).toEqual({ done: true, value: undefined })
      expect(iterator.next()).toEqual({ done: true, value: undefined })
    },
    destructuring: (db) => {
      const [first, second] = db.keys()
      expect([first, second]).toEqual([0, 1])
    },
    using: (db) => {
      using iterator = db.range()
      iterator.next()
    },
    'its end': (db) => {
      expect([...db.keys()]).toEqual(all)
    },
    'its limit': (db) => {
      expect([...db.keys({ limit: 700 })].length).toBe(700)
      const iterator = db.keys({ limit: 600 })
      for (let i = 0; i < 600; i++) iterator.next()
      expect(db.stats().pins.snapshots).toBe(0)
    },
  }
  it.each(Object.entries(leaving))('holds nothing any more after %s', (_, leave) => {
    const db = largeStore()
    leave(db)
    expect(db.stats().pins.snapshots).toBe(0)
  })

  it('can be inside another one', () => {
    const db = openScratch<number>({ capacity: '8MiB' })
    for (let i = 0; i < 30; i++) db.putSync(i, i)
    let pairs = 0
    for (const a of db.keys()) for (const b of db.keys({ gt: a as number })) pairs += Number(b) > Number(a) ? 1 : 0
    expect(pairs).toBe((30 * 29) / 2)
  })

  it('may remove what it is at, and write what comes', () => {
    const db = largeStore()
    for (const { key } of db.range()) {
      expect(db.removeSync(key)).toBe(true)
      db.putSync(['seen', key as number], 1)
    }
    expect(db.count()).toBe(2_000)
    expect(db.count({ prefix: ['seen'] })).toBe(2_000)
  })

  it('refuses to go on when its bounds do not fit together, and holds nothing', () => {
    const db = openScratch<number>({ keys: 'binary' })
    const [low, high] = [Buffer.alloc(1984, 1), Buffer.alloc(1984, 2)]
    db.putSync(Buffer.alloc(1984, 2), 1)
    expect(db.count({ gte: low, lte: high })).toBe(1)
    expectRefusal(
      errorOf(() => db.range({ gt: Buffer.alloc(1985) })),
      'ERR_SEALOG_KEY_TOO_LARGE',
    )
  })
})

// Counters: none is lost, and what is no counter, or would not be one any more, is refused and stays as it is.
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

describe.each(['default', 'ns'])('a counter in the namespace %s', (name) => {
  const make = (): ReturnType<typeof openScratch> => {
    const db = openScratch()
    return name === 'default' ? db : (db.namespace(name) as unknown as typeof db)
  }

  it('counts from 0, in both directions, by whole numbers', () => {
    const db = make()
    expect(db.incrementSync('a')).toBe(1)
    expect(db.incrementSync('a', 41)).toBe(42)
    expect(db.incrementSync('a', -50)).toBe(-8)
    expect(db.incrementSync('a', 0)).toBe(-8)
    expect(db.incrementSync('b', 0)).toBe(0)
    expect(db.get('a')).toBe(-8)
    expect(db.get('b')).toBe(0)
  })

  it('is a bigint when it is incremented by one, and then has no bounds', () => {
    const db = make()
    expect(db.incrementSync('a', 5n)).toBe(5n)
    expect(db.incrementSync('a', 2n ** 62n)).toBe(2n ** 62n + 5n)
    expect(db.get('a')).toBe(2n ** 62n + 5n)
    db.putSync('b', Number.MAX_SAFE_INTEGER)
    expect(db.incrementSync('b', 1n)).toBe(2n ** 53n)
    expect(db.get('b')).toBe(2n ** 53n)
  })

  it('refuses what is no counter, or of the other kind, or too large, and leaves it', () => {
    const db = make()
    const values: [unknown, number | bigint, typeof TypeError | typeof RangeError][] = [
      ['text', 1, TypeError],
      ['1', 1, TypeError],
      [1.5, 1, TypeError],
      [NaN, 1, TypeError],
      [null, 1, TypeError],
      [null, 1n, TypeError],
      [true, 1, TypeError],
      [[1], 1, TypeError],
      [{ n: 1 }, 1n, TypeError],
      [2n ** 60n, 1, TypeError],
      [1, 1.5, TypeError],
      [1, NaN, TypeError],
      [1, '1' as unknown as number, TypeError],
      [1, Infinity, TypeError],
      [Number.MAX_SAFE_INTEGER, 1, RangeError],
      [Number.MIN_SAFE_INTEGER, -1, RangeError],
    ]
    for (const [value, by, kind] of values) {
      db.putSync('a', value)
      const { version } = db.getEntry('a')!
      expect(
        errorOf(() => db.incrementSync('a', by as number)),
        String(value),
      ).toBeInstanceOf(kind)
      expect(db.getEntry('a')).toMatchObject({ value, version })
    }
    for (const by of [1.5, 2 ** 53]) {
      expect(errorOf(() => db.incrementSync('absent', by))).toBeInstanceOf(TypeError)
      expect(db.has('absent')).toBe(false)
    }
    expect(errorOf(() => db.incrementSync('absent', 1, { ifNoExists: true } as object))).toBeInstanceOf(TypeError)
  })

  it('loses nothing between promises, synchronous calls and transactions', async () => {
    const db = make()
    const pending: Promise<number>[] = []
    const seen: number[] = []
    for (let i = 0; i < 300; i++) {
      if (i % 3 === 0) seen.push(db.incrementSync('a'))
      else pending.push(db.increment('a'))
      if (i % 50 === 0) await pending.at(-1)
    }
    seen.push(...(await Promise.all(pending)))
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
    expect(db.get('a')).toBe(300)
  })
})

it('is durable when it returns', () => {
  const db = openScratch()
  db.incrementSync('a', 7)
  expect(db.stats().durableLsn).toBe(db.stats().lsn)
  db.close()
  const again = open(db.path)
  expect(again.incrementSync('a')).toBe(8)
  again.close()
})

it.each(['json', 'string', 'binary'] as const)('with the encoding %s counts, or says that it cannot', (encoding) => {
  const db = openScratch({ encoding })
  if (encoding === 'json') {
    expect(db.incrementSync('a')).toBe(1)
    expect(db.incrementSync('a')).toBe(2)
    expect(errorOf(() => db.incrementSync('b', 1n))).toBeInstanceOf(TypeError)
  } else {
    expect(errorOf(() => db.incrementSync('a'))).toBeInstanceOf(TypeError)
  }
  expect(db.has('b')).toBe(false)
})

it('is refused by a closed and by a read-only store', async () => {
  const db = openScratch()
  db.close()
  expectRefusal(
    errorOf(() => db.incrementSync('a')),
    'ERR_SEALOG_CLOSED',
  )
  expectRefusal(await rejectionOf(() => db.increment('a')), 'ERR_SEALOG_CLOSED')
  const reader = open(db.path, { readOnly: true })
  expectRefusal(
    errorOf(() => reader.incrementSync('a')),
    'ERR_SEALOG_READONLY',
  )
  reader.close()
})

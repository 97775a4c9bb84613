// Values too large for the iterator's block are read when they are reached: from the snapshot too, whatever was written since.
import { describe, expect, it } from 'vitest'
import type { RangeOptions, Store } from '../../src/index.ts'
import { openScratch } from '../support/scratch.ts'

const keys = ['a', 'b', 'c']
const large = (letter: string): string => letter.repeat(200_000)

/** Short enough to be read in a report: a value is one letter, many times. */
function nextOf(values: Iterator<string, undefined>): string {
  const { done, value } = values.next()
  return done === true ? 'done' : `${value.length} ${value.slice(0, 1)}`
}

function storeOfThree(): Store<string> {
  const db = openScratch<string>({ capacity: '8MiB' })
  for (const key of keys) db.putSync(key, large('o'))
  return db
}

const changes: Record<string, (db: Store<string>) => void> = {
  'replaced by others as long': (db) => {
    for (const key of keys) db.putSync(key, large('n'))
  },
  'replaced by longer ones': (db) => {
    for (const key of keys) db.putSync(key, large('n').repeat(2))
  },
  'replaced by short ones': (db) => {
    for (const key of keys) db.putSync(key, 'n')
  },
  removed: (db) => {
    for (const key of keys) db.removeSync(key)
  },
}

const ranges: Record<string, { options: RangeOptions; count: number }> = {
  'a whole range': { options: {}, count: 3 },
  'a reverse range': { options: { reverse: true }, count: 3 },
  'a range to a bound': { options: { lt: 'c' }, count: 2 },
  'a range with a limit': { options: { limit: 2 }, count: 2 },
  'a reverse range with a limit': { options: { reverse: true, limit: 2 }, count: 2 },
  'a range with just the limit that it has entries': { options: { limit: 3 }, count: 3 },
}

describe.each(Object.entries(ranges))('%s of large values', (_, { options, count }) => {
  it.each(Object.entries(changes))('shows its snapshot though they are %s', (_name, change) => {
    const db = storeOfThree()
    const values = db.values(options)
    const seen = [nextOf(values)]
    change(db)
    for (let i = 1; i <= count; i++) seen.push(nextOf(values))
    expect(seen).toEqual([...Array.from({ length: count }, () => '200000 o'), 'done'])
    expect(db.stats().pins.snapshots).toBe(0)
  })
})

describe('ranges of values of all sizes', () => {
  it('give each with its key, in both directions', () => {
    const db = openScratch<string>({ capacity: '24MiB' })
    const expected = Array.from({ length: 40 }, (_, i) => ({
      key: `key ${String(i).padStart(2, '0')}`,
      value: `${i} `.repeat(i % 3 === 0 ? 40_000 : i),
    }))
    for (const { key, value } of expected) db.putSync(key, value)
    expect([...db.range()]).toEqual(expected)
    expect([...db.range({ reverse: true })]).toEqual([...expected].reverse())
  })
})

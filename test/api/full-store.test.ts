// A full store says so, loses nothing, still removes, and takes entries again when there is room.
import { describe, expect, it } from 'vitest'
import { type Entry, isSealogError, open, type Store } from '../../src/index.ts'
import { expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const sizes = { 'small values': 100, 'values of a kilobyte': 1_000, 'values in pieces': 60_000 }
const valueOf = (i: number, bytes: number): string => `${i};`.repeat(bytes).slice(0, bytes)

/** Puts until it is refused. @returns what is in the store */
function fill(db: Store<string>, bytes: number, first = 0): Entry<string>[] {
  const written: Entry<string>[] = []
  for (let i = first; ; i++) {
    const entry = { key: i, value: valueOf(i, bytes) }
    try {
      db.putSync(entry.key, entry.value)
    } catch (error) {
      expectRefusal(error, 'ERR_SEALOG_FULL')
      return written
    }
    written.push(entry)
    if (i > 100_000) throw new Error('it does not get full')
  }
}

/** Writes small things until puts work again; that takes a checkpoint or two. @returns how many it took */
function untilRoom(db: Store<string>): number {
  for (let tries = 1; tries <= 50; tries++) {
    try {
      db.putSync(0, 'room again')
      return tries
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_FULL')) throw error
    }
  }
  return Infinity
}

describe.each(Object.entries(sizes))('a store that is full of %s', (_, bytes) => {
  it('has everything that it took, also when it is opened again', async () => {
    const db = openScratch<string>({ capacity: '2MiB', segmentBytes: '32KiB', checkpointBytes: '64KiB' })
    const entries = fill(db, bytes)
    expect(entries.length * bytes).toBeGreaterThan(2 ** 20 / 4)
    expectSame([...db.range()], entries)
    expectRefusal(await rejectionOf(() => db.put(-1, valueOf(0, bytes))), 'ERR_SEALOG_FULL')
    const batch = [
      { type: 'del', key: 0 },
      { type: 'put', key: -1, value: valueOf(0, bytes) },
      { type: 'put', key: -2, value: valueOf(0, 100_000) },
    ] as const
    expectRefusal(await rejectionOf(() => db.batch(batch)), 'ERR_SEALOG_FULL')
    expectSame([...db.range()], entries)
    expect(db.stats().entries).toBe(entries.length)
    db.close()
    const again = open<string>(db.path, { checkpointBytes: '64KiB' })
    expectSame([...again.range()], entries)
    again.close()
  })

  it('removes everything, and then takes entries again', () => {
    const db = openScratch<string>({ capacity: '2MiB', segmentBytes: '32KiB', checkpointBytes: '64KiB' })
    const entries = fill(db, bytes)
    for (const { key } of entries) expect(db.removeSync(key)).toBe(true)
    expect(db.count()).toBe(0)
    expect(untilRoom(db)).toBeLessThan(50)
    expect([...db.range()]).toEqual([{ key: 0, value: 'room again' }])
    const more = fill(db, bytes, 1)
    expect(more.length).toBeGreaterThan(entries.length / 2)
    expectSame([...db.range()], [{ key: 0, value: 'room again' }, ...more])
    db.close()
    const again = open<string>(db.path)
    expect(again.count()).toBe(more.length + 1)
    expectSame(
      [...again.values({ gt: 0 })],
      more.map(({ value }) => value),
    )
    again.close()
  })

  it('removes by batches, if they are small', () => {
    const db = openScratch<string>({ capacity: '2MiB', segmentBytes: '32KiB', checkpointBytes: '64KiB' })
    const entries = fill(db, bytes)
    for (let i = 0; i < entries.length; i += 8) {
      db.batchSync(entries.slice(i, i + 8).map(({ key }) => ({ type: 'del', key })))
    }
    expect(db.count()).toBe(0)
    expect(untilRoom(db)).toBeLessThan(50)
  })
})

describe('a value that does not fit an empty store', () => {
  it('is refused, and the store is as before', () => {
    const db = openScratch<string>({ capacity: '2MiB', segmentBytes: '32KiB' })
    db.putSync('a', 'A')
    for (let i = 0; i < 3; i++) {
      expectRefusal(
        (() => {
          try {
            db.putSync('large', 'x'.repeat(1_950_000))
            return undefined
          } catch (error) {
            return error
          }
        })(),
        'ERR_SEALOG_FULL',
      )
    }
    expect([...db.range()]).toEqual([{ key: 'a', value: 'A' }])
    db.putSync('b', 'B')
    db.close()
    const again = open<string>(db.path)
    expect([...again.values()]).toEqual(['A', 'B'])
    again.close()
  })
})

describe('an optimistic transaction in a full store', () => {
  it('is not refused for what its own snapshot holds', async () => {
    const db = openScratch<string>({
      capacity: '256KiB',
      segmentBytes: '16KiB',
      checkpointBytes: '64KiB',
      encoding: 'string',
    })
    const tooMuch = [
      { type: 'put', key: 'large', value: 'x'.repeat(30_232) },
      { type: 'put', key: 'large', value: 'x'.repeat(65_535) },
    ] as const
    expectRefusal(await rejectionOf(() => db.batch(tooMuch)), 'ERR_SEALOG_FULL')
    await db.transaction(async (tx) => {
      tx.get('other')
      await Promise.resolve()
      tx.put('small', 'there is room')
    })
    expect([...db.values()]).toEqual(['there is room'])
  })
})

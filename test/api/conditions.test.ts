// Conditional writes: nobody overwrites what he has not seen, and a batch with a condition is made as a whole or not at all.
import { describe, expect, it } from 'vitest'
import { type BatchOperation, open, type PutOptions, type RemoveOptions, type Table } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const parts: [string, () => Table][] = [
  ['the default namespace', () => openScratch()],
  ['a namespace', () => openScratch().namespace('ns')],
]

describe.each(parts)('in %s', (_name, make) => {
  it('ifVersion writes only over that version, ifNoExists only where nothing is', () => {
    const db = make()
    expect(db.putSync('a', 1, { ifNoExists: true })).toBe(true)
    expect(db.putSync('a', 2, { ifNoExists: true })).toBe(false)
    const { version } = db.getEntry('a')!
    expect(db.putSync('a', 3, { ifVersion: version })).toBe(true)
    expect(db.putSync('a', 4, { ifVersion: version })).toBe(false)
    expect(db.putSync('b', 4, { ifVersion: version })).toBe(false)
    expect(db.range().toArray()).toEqual([{ key: 'a', value: 3 }])
    // The same value again is another version.
    const next = db.getEntry('a')!.version
    expect(next).toBeGreaterThan(version)
    db.putSync('a', 3)
    expect(db.putSync('a', 5, { ifVersion: next })).toBe(false)
    expect(db.putSync('a', 6, { ifNoExists: false })).toBe(true)
    expect(db.get('a')).toBe(6)
  })

  it('ifVersion removes only that version', () => {
    const db = make()
    db.putSync('a', 1)
    const { version } = db.getEntry('a')!
    db.putSync('a', 2)
    expect(db.removeSync('a', { ifVersion: version })).toBe(false)
    expect(db.removeSync('absent', { ifVersion: version })).toBe(false)
    expect(db.get('a')).toBe(2)
    expect(db.removeSync('a', { ifVersion: db.getEntry('a')!.version })).toBe(true)
    expect(db.has('a')).toBe(false)
  })

  it('is not fooled by an entry that was removed and written again', () => {
    const db = make()
    db.putSync('a', 1)
    const { version } = db.getEntry('a')!
    db.removeSync('a')
    db.putSync('a', 1)
    expect(db.putSync('a', 2, { ifVersion: version })).toBe(false)
    expect(db.get('a')).toBe(1)
  })

  it('the promise forms answer the same, and see what is not durable yet', async () => {
    const db = make()
    const first = db.put('a', 1, { ifNoExists: true })
    const second = db.put('a', 2, { ifNoExists: true })
    const { version } = db.getEntry('a')!
    const third = db.put('a', 3, { ifVersion: version })
    const fourth = db.remove('a', { ifVersion: version })
    const fifth = db.batch([{ type: 'del', key: 'a', ifVersion: version }])
    const sixth = db.batch([{ type: 'put', key: 'b', value: 1, ifNoExists: true }])
    expect(await Promise.all([first, second, third, fourth, fifth, sixth])).toEqual([true, false, true, false, false, true]) // prettier-ignore
    expect(db.range().toArray()).toEqual([{ key: 'a', value: 3 }, { key: 'b', value: 1 }]) // prettier-ignore
  })

  it('a batch is made as a whole or not at all, by conditions on the state before it', () => {
    const db = make()
    db.putSync('a', 1)
    db.putSync('b', 1)
    const { version } = db.getEntry('a')!
    const refused: BatchOperation[][] = [
      [{ type: 'put', key: 'x', value: 1 }, { type: 'put', key: 'b', value: 2, ifNoExists: true }],
      [{ type: 'put', key: 'b', value: 2, ifVersion: version }, { type: 'put', key: 'x', value: 1 }],
      [{ type: 'del', key: 'a' }, { type: 'put', key: 'a', value: 2, ifNoExists: true }],
      [{ type: 'del', key: 'b', ifVersion: version }, { type: 'del', key: 'a' }],
      [{ type: 'del', key: 'absent', ifVersion: version }],
    ] // prettier-ignore
    for (const operations of refused) {
      expect(db.batchSync(operations)).toBe(false)
      expect(db.range().toArray()).toEqual([{ key: 'a', value: 1 }, { key: 'b', value: 1 }]) // prettier-ignore
      expect(db.getEntry('a')!.version).toBe(version)
    }
    const made = db.batchSync([
      { type: 'put', key: 'x', value: 1, ifNoExists: true },
      { type: 'put', key: 'x', value: 2, ifNoExists: true },
      { type: 'put', key: 'a', value: 2, ifVersion: version },
      { type: 'del', key: 'a', ifVersion: version },
      { type: 'del', key: 'b' },
    ])
    expect(made).toBe(true)
    expect(db.range().toArray()).toEqual([{ key: 'x', value: 2 }])
    expect(db.batchSync([])).toBe(true)
    expect(db.batchSync([{ type: 'del', key: 'absent' }])).toBe(true)
  })

  it('hold for large batches and large values', () => {
    const db = make()
    const many: BatchOperation[] = Array.from({ length: 3_000 }, (_, i) => ({ type: 'put', key: i, value: i, ifNoExists: true })) // prettier-ignore
    expect(db.batchSync(many)).toBe(true)
    expect(db.batchSync([...many, { type: 'put', key: 'late', value: 1 }])).toBe(false)
    expect(db.count()).toBe(3_000)
    const large = 'x'.repeat(300_000)
    expect(db.putSync('large', large, { ifNoExists: true })).toBe(true)
    expect(db.putSync('large', 'small', { ifNoExists: true })).toBe(false)
    expect(db.putSync('large', 'small', { ifVersion: db.getEntry('large')!.version })).toBe(true)
    expect(db.get('large')).toBe('small')
  })
})

it('a refused write is no commit, and costs no fence', () => {
  const db = openScratch()
  db.putSync('a', 1)
  const { lsn, persist } = db.stats()
  for (let i = 0; i < 10; i++) expect(db.putSync('a', 2, { ifNoExists: true })).toBe(false)
  expect(db.stats().lsn).toBe(lsn)
  expect(db.stats().persist.fences).toBe(persist.fences)
})

it('versions hold across a reopening', () => {
  const db = openScratch()
  db.putSync('a', 1)
  const { version } = db.getEntry('a')!
  db.close()
  const again = open(db.path)
  expect(again.getEntry('a')!.version).toBe(version)
  expect(again.putSync('a', 2, { ifVersion: version })).toBe(true)
  expect(again.putSync('a', 3, { ifVersion: version })).toBe(false)
  again.close()
})

it('what is no condition is a mistake, and changes nothing', async () => {
  const db = openScratch()
  const wrong: [unknown, typeof TypeError | typeof RangeError][] = [
    [{ ifVersion: 0 }, RangeError],
    [{ ifVersion: -1 }, RangeError],
    [{ ifVersion: 1.5 }, RangeError],
    [{ ifVersion: 2 ** 53 }, RangeError],
    [{ ifVersion: '1' }, TypeError],
    [{ ifVersion: 1n }, TypeError],
    [{ ifNoExists: 1 }, TypeError],
    [{ ifVersion: 1, ifNoExists: true }, TypeError],
    [{ ifExists: true }, TypeError],
    ['options', TypeError],
  ]
  for (const [options, kind] of wrong) {
    const call = (): unknown => db.putSync('a', 1, options as PutOptions)
    expect(errorOf(call)).toBeInstanceOf(kind)
    expect(await rejectionOf(() => db.put('a', 1, options as PutOptions))).toBeInstanceOf(kind)
  }
  for (const options of [{ ifNoExists: true }, { ttl: 1 }, { ifVersion: 0 }])
    expect(errorOf(() => db.removeSync('a', options as RemoveOptions))).toBeInstanceOf(Error)
  expect(db.count()).toBe(0)
  const closed = openScratch()
  closed.close()
  expectRefusal(
    errorOf(() => closed.putSync('a', 1, { ifNoExists: true })),
    'ERR_SEALOG_CLOSED',
  )
  expectRefusal(await rejectionOf(() => closed.put('a', 1, { ifNoExists: true })), 'ERR_SEALOG_CLOSED')
})

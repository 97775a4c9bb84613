// Stores of few, small segments, where every limit is near: what the model test has found in them.
import { copyFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { isSealogError, type Key, open, type Store } from '../../src/index.ts'
import { openScratch } from '../support/scratch.ts'

const sizes = { capacity: '256KiB', segmentBytes: '16KiB', checkpointBytes: '64KiB' } as const
const text = (bytes: number): string => 'x'.repeat(bytes)

/** Puts until the store is full. */
function fill(db: Store, keyOf: (n: number) => Key, bytes: number, together = 1): void {
  try {
    for (let n = 0; n < 100_000; n += together)
      db.batchSync(Array.from({ length: together }, (_, i) => ({ type: 'put', key: keyOf(n + i), value: text(bytes) })))
  } catch (error) {
    if (isSealogError(error, 'ERR_SEALOG_FULL')) return
    throw error
  }
  throw new Error('it does not get full')
}

it('is clean when it was closed, also behind the write that begins a checkpoint', () => {
  for (let puts = 1; puts <= 6; puts++) {
    const created = openScratch(sizes)
    created.close()
    const db = open(created.path, { checkpointBytes: '64KiB' })
    for (let n = 0; n < puts; n++) db.putSync(n, text(14_000))
    const { lsn } = db.stats()
    db.close()
    const again = open(created.path)
    expect(again.recovery.outcome).toBe('clean')
    expect(again.stats().lsn).toBeGreaterThanOrEqual(lsn)
    expect(again.count()).toBe(puts)
    again.close()
  }
})

it('is clean when it was closed, also if nothing but refusals happened to it', () => {
  const db = openScratch(sizes)
  for (let n = 0; n < 5; n++) db.putSync(n, text(14_000))
  db.close()
  const full = open(db.path)
  expect(() => {
    full.putSync('large', text(150_000))
  }).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_FULL' }))
  full.close()
  const again = open(db.path)
  expect(again.recovery.outcome).toBe('clean')
  again.close()
})

it.each([14_100, 14_145, 14_172])('keeps a batch of the longest key and %i bytes, also without a close', (bytes) => {
  const db = openScratch(sizes)
  const key = 'b'.repeat(1984)
  db.batchSync([{ type: 'put', key, value: text(bytes) }])
  db.putSync('c', 1)
  const path = db.path.replace('.sealog', '-copy.sealog')
  copyFileSync(db.path, path)
  db.close()
  const copy = open(path)
  expect(copy.get(key)).toBe(text(bytes))
  expect(copy.get('c')).toBe(1)
  copy.close()
})

it.each([
  { bytes: 38, together: 40 },
  { bytes: 38, together: 1 },
  { bytes: 0, together: 3 },
  { bytes: 900, together: 1 },
])('can be emptied one by one when it is full: $together values of $bytes bytes at once', ({ bytes, together }) => {
  const db = openScratch(sizes)
  fill(db, (n) => (n * 7919) % 100_003, bytes, together)
  const keys = [...db.keys()]
  // Here and there, so that no segment is soon without anything.
  for (let step = 0; step < 7; step++) {
    for (let i = step; i < keys.length; i += 7) expect(db.removeSync(keys[i]!)).toBe(true)
  }
  expect(db.count()).toBe(0)
  db.putSync('a', text(14))
  db.close()
})

it('says its lsn, also read-only', () => {
  const db = openScratch(sizes)
  for (let n = 0; n < 10; n++) db.putSync(n, n)
  const { version } = db.getEntry(9)!
  db.close()
  const reader = open(db.path, { readOnly: true })
  const { lsn, durableLsn } = reader.stats()
  expect(lsn).toBeGreaterThanOrEqual(version)
  expect(durableLsn).toBe(lsn)
  reader.close()
})

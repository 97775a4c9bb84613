// The cleaner, as a user meets it: writing goes on for ever in a store of constant size, and compact() makes room.
import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const shape = { capacity: '4MiB', segmentBytes: '64KiB', checkpointBytes: '64KiB', encoding: 'string' } as const
const valueOf = (i: number, round: number): string => `${i}.${round};`.repeat(40).slice(0, 150)

describe('a store that is written through many times', () => {
  it('keeps its size, what is in it, and the versions', () => {
    const db = openScratch<string>(shape)
    const bytes = statSync(db.path).size
    const rounds = new Map<number, { value: string; version: number }>()
    for (let n = 0; n < 120_000; n++) {
      const i = (Math.imul(n ^ (n >>> 7), 0x9e3779b1) >>> 8) % 9_001
      const value = valueOf(i, n)
      db.putSync(i, value)
      if (n > 110_000) rounds.set(i, { value, version: db.getEntry(i)?.version ?? 0 })
    }
    const { cleaning, writeAmplification, space } = db.stats()
    expect(cleaning.available).toBe(true)
    expect(cleaning.segments).toBeGreaterThan(50)
    expect(writeAmplification.log).toBeGreaterThan(1)
    expect(space.segments).toBe(64)
    expect(statSync(db.path).size).toBe(bytes)
    db.close()
    const again = open<string>(db.path)
    expect(again.count()).toBe(9_001)
    for (const [i, { value, version }] of rounds) {
      expectSame(again.getEntry(i)?.value, value)
      expectSame(again.getEntry(i)?.version, version)
    }
    again.close()
  })

  it('gives a transaction no conflict for what was only moved', async () => {
    const db = openScratch<string>(shape)
    for (let i = 0; i < 6_000; i++) db.putSync(i, valueOf(i, 0))
    for (let i = 0; i < 6_000; i += 2) db.putSync(i, valueOf(i, 1))
    const seen = await db.transaction(
      async (tx) => {
        const value = tx.get(1)
        const { movedBytes } = await db.compact()
        expect(movedBytes).toBe(0) // the transaction's own snapshot holds it all
        tx.put('seen', 'yes')
        return value
      },
      { retries: 0 },
    )
    expect(seen).toBe(valueOf(1, 0))
    const version = db.getEntry(1)?.version
    const { movedBytes, freeSegmentsAfter, freeSegmentsBefore } = await db.compact()
    expect(movedBytes).toBeGreaterThan(100_000)
    expect(freeSegmentsAfter).toBeGreaterThan(freeSegmentsBefore)
    expect(db.getEntry(1)?.version).toBe(version)
    expect(await db.put(1, 'new', { ifVersion: version ?? 0 })).toBe(true)
  })
})

describe('compact', () => {
  it('tells how far it is, and can be aborted', async () => {
    const db = openScratch<string>(shape)
    for (let i = 0; i < 6_000; i++) db.putSync(i, valueOf(i, 0))
    for (let i = 0; i < 6_000; i += 2) db.removeSync(i)
    expectRefusal(await rejectionOf(() => db.compact({ signal: AbortSignal.abort() })), 'ERR_SEALOG_ABORTED')
    // Behind the turn in which the thread is asked, and before it can be done.
    for (let i = 0; i < 20; i++) {
      const stop = new AbortController()
      const aborted = rejectionOf(() => db.compact({ signal: stop.signal }))
      await Promise.resolve()
      await Promise.resolve()
      stop.abort()
      expectRefusal(await aborted, 'ERR_SEALOG_ABORTED')
    }
    const told: number[] = []
    await db.compact({ onProgress: (movedBytes) => told.push(movedBytes) })
    expect(told.at(-1)).toBeGreaterThan(0)
    expect(db.count()).toBe(3_000)
    db.close()
    expectRefusal(await rejectionOf(() => db.compact()), 'ERR_SEALOG_CLOSED')
  })

  it('ends with the store', async () => {
    const db = openScratch<string>(shape)
    for (let i = 0; i < 6_000; i++) db.putSync(i, valueOf(i, 0))
    for (let i = 0; i < 6_000; i += 2) db.removeSync(i)
    const outcome = rejectionOf(() => db.compact())
    await Promise.resolve()
    db.close()
    const error = await outcome
    if (error !== undefined) expectRefusal(error, 'ERR_SEALOG_CLOSED')
    const again = open<string>(db.path)
    expect(again.count()).toBe(3_000)
    again.close()
  })

  it('is for a store that is written, and takes what it knows', async () => {
    const db = openScratch()
    expect(await rejectionOf(() => db.compact({ onProgress: 1 as never }))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.compact({ signal: {} as never }))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.compact({ progress: 1 } as never))).toBeInstanceOf(TypeError)
    db.close()
    const reader = open(db.path, { readOnly: true })
    expectRefusal(await rejectionOf(() => reader.compact()), 'ERR_SEALOG_READONLY')
    reader.close()
  })
})

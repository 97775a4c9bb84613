// Promises of puts: callers that write again as soon as they are answered leave the event loop its turns.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const places = ['memory', 'disk'] as const

describe.each(places)('putting with promises, with the store in/on the %s', (place) => {
  it.each([1, 1000])('lets timers run while %i callers put without end', async (callers) => {
    const db = openScratch({}, place)
    let fired = false
    // Commits that follow each other in microtasks alone would never let it.
    setTimeout(() => (fired = true), 5)
    const deadline = performance.now() + 20_000
    const caller = async (_: unknown, n: number): Promise<void> => {
      for (let i = 0; !fired && performance.now() < deadline; i++) await db.put(`key ${n}`, i)
    }
    await Promise.all(Array.from({ length: callers }, caller))
    expect(fired).toBe(true)
  })

  it('answers in order, and what was answered is durable', async () => {
    const db = openScratch({}, place)
    const answered: number[] = []
    const caller = async (n: number): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        const before = db.stats().lsn
        await db.put(`key ${n}`, i)
        expect(db.stats().durableLsn).toBeGreaterThan(before)
        answered.push(i * 100 + n)
      }
    }
    await Promise.all(Array.from({ length: 100 }, (_, n) => caller(n)))
    expect(answered).toEqual(Array.from({ length: 2000 }, (_, i) => i))
  })

  it('commits after a pause as well, and what a close finds gathered', async () => {
    const db = openScratch({}, place)
    await db.put('a', 1)
    for (let i = 0; i < 3; i++) await nextTurn()
    await db.put('a', 2)
    const last = db.put('a', 3)
    db.close()
    await last
    expectRefusal(await rejectionOf(() => db.put('a', 4)), 'ERR_SEALOG_CLOSED')
  })
})

// The helpers of iterators: they answer what those of arrays do, ask for no more than they need, and let go of what they leave.
import { describe, expect, it } from 'vitest'
import type { Rows } from '../../src/index.ts'
import { errorOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const count = 2_500
const numbers = Array.from({ length: count }, (_, i) => i)

function filled(): { rows: () => Rows<number>; held: () => number } {
  const db = openScratch<number>()
  for (const n of numbers) void db.put(n, n)
  return { rows: () => db.values(), held: () => db.stats().pins.snapshots }
}

const odd = (n: number): boolean => n % 2 === 1
const sum = (result: number, n: number, index: number): number => result + n * index

/** The same of rows and of an array. */
const helpers: [string, (rows: Rows<number>) => unknown, (array: number[]) => unknown][] = [
  ['map', (r) => r.map((n, i) => [n, i]).toArray(), (a) => a.map((n, i) => [n, i])],
  ['filter', (r) => r.filter(odd).toArray(), (a) => a.filter(odd)],
  ['filter by index', (r) => r.filter((_, i) => odd(i)).toArray(), (a) => a.filter((_, i) => odd(i))],
  ['take', (r) => r.take(3).toArray(), (a) => a.slice(0, 3)],
  ['take 0', (r) => r.take(0).toArray(), () => []],
  ['take more than there is', (r) => r.take(1e6).toArray(), (a) => a],
  ['take Infinity', (r) => r.take(Infinity).toArray(), (a) => a],
  ['drop', (r) => r.drop(2_000).toArray(), (a) => a.slice(2_000)],
  ['drop more than there is', (r) => r.drop(1e6).toArray(), () => []],
  ['a chain', (r) => r.drop(10).filter(odd).map((n) => n * 2).drop(5).take(7).toArray(), (a) => a.slice(10).filter(odd).map((n) => n * 2).slice(5, 12)],
  ['reduce', (r) => r.reduce(sum, 5), (a) => a.reduce(sum, 5)],
  ['some', (r) => r.some((n) => n === 7), (a) => a.some((n) => n === 7)],
  ['some in vain', (r) => r.some((n) => n < 0), (a) => a.some((n) => n < 0)],
  ['every', (r) => r.every((n, i) => n === i), (a) => a.every((n, i) => n === i)],
  ['every in vain', (r) => r.every((n) => n < 7), (a) => a.every((n) => n < 7)],
  ['find', (r) => r.find((n, i) => i > 3 && odd(n)), (a) => a.find((n, i) => i > 3 && odd(n))],
  ['find in vain', (r) => r.find((n) => n < 0), (a) => a.find((n) => n < 0)],
  ['forEach', (r) => { const seen: number[] = []; r.forEach((n, i) => seen.push(n, i)); return seen }, (a) => a.flatMap((n, i) => [n, i])],
] // prettier-ignore

describe('rows', () => {
  it.each(helpers)('answer what an array does: %s', (_name, ofRows, ofArray) => {
    const { rows, held } = filled()
    expect(ofRows(rows())).toEqual(ofArray(numbers))
    expect(held()).toBe(0)
  })

  it('are lazy: nothing is asked for before it is needed, and nothing behind', () => {
    const { rows, held } = filled()
    const asked: number[] = []
    const lazy = rows()
      .map((n) => (asked.push(n), n))
      .filter(odd)
      .take(2)
    expect(asked).toEqual([])
    expect(held()).toBe(0)
    expect(lazy.toArray()).toEqual([1, 3])
    expect(asked).toEqual([0, 1, 2, 3])
    expect(held()).toBe(0)
  })

  const leaving: [string, (rows: Rows<number>) => void][] = [
    ['break', (r) => { for (const n of r) if (n === 3) break }],
    ['break behind map', (r) => { for (const n of r.map((m) => m).filter(odd)) if (n === 3) break }],
    ['a throwing loop', (r) => { errorOf(() => { for (const n of r.drop(2)) throw new Error(String(n)) }) }],
    ['a throwing mapper', (r) => errorOf(() => r.map(() => { throw new Error() }).toArray())],
    ['a throwing predicate', (r) => errorOf(() => r.some(() => { throw new Error() }))],
    ['destructuring', (r) => { const [a, b] = r.map((n) => n + 1); expect([a, b]).toEqual([1, 2]) }],
    ['return', (r) => { r.next(); r.return(); expect(r.next().done).toBe(true) }],
    ['return of a helper that has begun', (r) => { const m = r.map((n) => n); m.next(); m.return(); expect(r.next().done).toBe(true) }],
    ['return of a helper that has not', (r) => { r.next(); r.map((n) => n).return(); expect(r.next().done).toBe(true) }],
    ['return of a helper of a helper', (r) => { r.next(); r.map((n) => n).filter(odd).drop(1).take(3).return(); expect(r.next().done).toBe(true) }],
    ['using', (r) => { using m = r.take(5); m.next() }],
    ['take', (r) => { r.take(3).toArray() }],
  ] // prettier-ignore
  it.each(leaving)('let go of what they hold when they are left: %s', (_name, leave) => {
    const { rows, held } = filled()
    const left = rows()
    leave(left)
    expect(held()).toBe(0)
    // It is kept from garbage collection up to here.
    expect(left.next().done).toBe(true)
  })

  it('hold one snapshot while they run', () => {
    const { rows, held } = filled()
    const lazy = rows().map((n) => n)
    lazy.next()
    expect(held()).toBe(1)
    lazy.return()
    expect(held()).toBe(0)
  })

  it.each([-1, 1.5, NaN, '1', undefined])('refuse what is no count: %s', (wrong) => {
    const { rows } = filled()
    for (const call of [() => rows().take(wrong as number), () => rows().drop(wrong as number)])
      expect(errorOf(call)).toBeInstanceOf(RangeError)
  })
})

describe('a range with a signal', () => {
  it('throws its reason at the next step, and lets go', () => {
    const db = openScratch<number>()
    for (const n of numbers) void db.put(n, n)
    const controller = new AbortController()
    const rows = db.keys({ signal: controller.signal })
    rows.next()
    const reason = new Error('enough')
    controller.abort(reason)
    expect(errorOf(() => rows.next())).toBe(reason)
    expect(rows.return().done).toBe(true)
    expect(db.stats().pins.snapshots).toBe(0)
    expect(errorOf(() => db.range({ signal: {} as AbortSignal }))).toBeInstanceOf(TypeError)
  })
})

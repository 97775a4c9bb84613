import { describe, expect, it } from 'vitest'
import { absentKeyAt, keyAt, makeBatches, makeValues, poolSize, valueOf } from '../../../bench/lib/data.mjs'
import { permutation, uniformOrder } from '../../../bench/lib/random.mjs'

describe('keys', () => {
  it('are of 16 digits, in the order of their numbers', () => {
    expect(keyAt(0)).toBe('0000000000000000')
    expect(keyAt(12_345_678_901)).toBe('0000012345678901')
    for (let i = 1; i < 2000; i++) expect(keyAt(i) > keyAt(i - 1)).toBe(true)
  })

  it('that are absent lie between others, and are none of them', () => {
    for (const i of [0, 9, 10, 12_345]) {
      const absent = absentKeyAt(i)
      expect(absent).toHaveLength(16)
      expect(absent > keyAt(i) && absent < keyAt(Math.floor(i / 10) * 10 + 10)).toBe(true)
      expect(absent).not.toMatch(/^\d+$/)
    }
  })
})

describe('orders', () => {
  it('that are permutations have every number once', () => {
    const order = permutation(1000, 1)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(order).not.toEqual(Uint32Array.from({ length: 1000 }, (_, i) => i))
    expect(order).toEqual(permutation(1000, 1))
  })

  it('that are uniform are spread evenly', () => {
    const seen = new Float64Array(10)
    for (const k of uniformOrder(100_000, 10, 1)) seen[k]!++
    for (const count of seen) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })
})

describe('batches', () => {
  const values = makeValues()

  it('have every key once, with the value that is looked for later', () => {
    const batches = [...makeBatches(permutation(2500, 1), values, 2)]
    expect(batches.map(({ length }) => length)).toEqual([1000, 1000, 500])
    const written = new Map(batches.flat().map(({ key, value }) => [key, value]))
    expect(written.size).toBe(2500)
    for (const i of [0, 1, 999, 2499]) expect(written.get(keyAt(i))).toBe(values[valueOf(i, 2)])
  })

  it('delete where there is no value', () => {
    const [batch] = [...makeBatches(permutation(10, 1), values, undefined)]
    expect(batch!.every(({ type, value }) => type === 'del' && value === undefined)).toBe(true)
  })

  it('write another value each time', () => {
    for (const i of [0, 7, 100_000]) {
      expect(valueOf(i, 1)).not.toBe(valueOf(i, 0))
      expect(valueOf(i, 3)).toBeLessThan(poolSize)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { zeta, zipfianOrder, zipfianRanks } from '../../../bench/lib/zipf.mjs'

const theta = 0.99

function frequencies(count: number, draws: number): Float64Array {
  const rank = zipfianRanks(count, 1)
  const seen = new Float64Array(count)
  for (let i = 0; i < draws; i++) seen[rank()]! += 1 / draws
  return seen
}

describe('zipfian numbers', () => {
  it('have the two most frequent ranks as often as the law says', () => {
    const seen = frequencies(1000, 400_000)
    expect(seen[0]! * zeta(1000)).toBeCloseTo(1, 1)
    expect(seen[1]! * zeta(1000)).toBeCloseTo(0.5 ** theta, 1)
  })

  it('follow the law over all ranks: Gray et al. approximate it', () => {
    const seen = frequencies(1000, 400_000)
    const shareOf = (from: number, to: number): number => seen.subarray(from, to).reduce((a, b) => a + b, 0)
    for (const [from, to] of [
      [0, 10],
      [10, 100],
      [100, 1000],
    ] as const) {
      const law = (zeta(to) - zeta(from)) / zeta(1000)
      expect(Math.abs(shareOf(from, to) - law) / law).toBeLessThan(0.1)
    }
  })

  it('never leave their bounds, even at the greatest fraction', () => {
    for (const count of [2, 3, 10, 1000]) {
      const rank = zipfianRanks(count, 7)
      for (let i = 0; i < 20_000; i++) {
        const drawn = rank()
        expect(drawn >= 0 && drawn < count && Number.isInteger(drawn)).toBe(true)
      }
    }
  })

  it('are the same for the same seed, and scattered', () => {
    const order = zipfianOrder(10_000, 1000, 3)
    expect(order).toEqual(zipfianOrder(10_000, 1000, 3))
    expect(order).not.toEqual(zipfianOrder(10_000, 1000, 4))
    // The ten most frequent keys are not the first ten.
    const counts = new Map<number, number>()
    for (const k of order) counts.set(k, (counts.get(k) ?? 0) + 1)
    const top = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10)
    expect(top.filter(([k]) => k < 10).length).toBeLessThan(4)
    expect(Math.max(...order)).toBeLessThan(1000)
  })
})

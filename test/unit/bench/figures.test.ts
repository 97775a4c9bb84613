import { describe, expect, it } from 'vitest'
import { median, ratios, short, spread } from '../../../bench/lib/figures.mjs'

describe('medians', () => {
  it('are the middle, or between the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([100, 9, 20])).toBe(20)
    expect(median([])).toBeNaN()
  })

  it('leave their numbers as they were', () => {
    const numbers = [3, 1, 2]
    median(numbers)
    expect(numbers).toEqual([3, 1, 2])
  })

  it('come with how far the rounds lie apart', () => {
    expect(spread([90, 100, 120])).toBeCloseTo(0.3)
    expect(spread([100])).toBe(0)
  })
})

describe('ratios', () => {
  it('are of operations per second, and net of what the harness takes per operation', () => {
    // 1 µs and 3 µs, of which 0.5 µs is the harness: 0.5 and 2.5.
    const { raw, net } = ratios(1e6, 1e6 / 3, 2e6)
    expect(raw).toBeCloseTo(3)
    expect(net).toBeCloseTo(5)
  })

  it('have no net where the harness hides one of the two', () => {
    expect(ratios(1e6, 0.5e6, 1.2e6).net).toBeUndefined()
    expect(ratios(1e6, 0.5e6, 1.3e6).net).toBeDefined()
    expect(ratios(0.5e6, 1e6, 1e6).net).toBeUndefined()
    expect(ratios(1e6, 0.5e6, 0.9e6).net).toBeUndefined()
    expect(ratios(1e6, 0.5e6, undefined)).toEqual({ raw: 2, net: undefined })
  })
})

describe('short numbers', () => {
  it('have three digits and a unit', () => {
    expect(short(1_234_567)).toBe('1.23 M')
    expect(short(45_678)).toBe('45.7 k')
    expect(short(0.123456)).toBe('0.123')
    expect(short(NaN)).toBe('-')
  })
})

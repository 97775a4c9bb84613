import { describe, expect, it } from 'vitest'
import { Latencies } from '../../../src/cli/latencies.ts'

describe('latencies', () => {
  it('have percentiles in microseconds, to three digits', () => {
    const latencies = new Latencies()
    for (let us = 1; us <= 1000; us++) latencies.record(us * 1e3)
    expect(latencies.percentile(50)).toBeCloseTo(500, -1)
    expect(latencies.percentile(99)).toBeCloseTo(990, -1)
    expect(latencies.percentile(100)).toBeCloseTo(1000, -1)
  })

  it('have bins from the first that is not empty to the last, three to a factor of ten', () => {
    const latencies = new Latencies()
    latencies.record(1_500)
    latencies.record(1_600)
    latencies.record(15_000)
    const bins = latencies.bins()
    expect(bins.map(({ count }) => count)).toEqual([2, 0, 0, 1])
    expect(bins[0]?.fromUs).toBeCloseTo(1)
    expect(bins[3]?.fromUs).toBeCloseTo(10)
  })

  it('have no bins without operations, and one for what took no time', () => {
    const latencies = new Latencies()
    expect(latencies.bins()).toEqual([])
    latencies.record(0)
    expect(latencies.bins()).toEqual([{ fromUs: 0.001, count: 1 }])
  })
})

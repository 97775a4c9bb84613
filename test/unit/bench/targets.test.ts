import { describe, expect, it } from 'vitest'
import { compare, type Row } from '../../../bench/targets.mjs'

const row = (engine: string, kind: Row['kind'], figure: number, more: Partial<Row> = {}): Row => ({
  fs: 'tmpfs',
  count: 1_000_000,
  workload: 'readrandom',
  engine,
  label: engine,
  kind,
  promise: kind === 'null' || engine === 'map' ? 'none' : 'power',
  figure,
  ...more,
})

describe('comparing', () => {
  it('takes the best peer, net of the null engine', () => {
    const [line] = compare([
      row('sealog', 'sealog', 1e6),
      row('slow', 'peer', 1e5),
      row('quick', 'peer', 1e6 / 3),
      row('map', 'floor', 5e6),
      row('null', 'null', 2e6),
    ])
    expect(line!.best!.engine).toBe('quick')
    expect(line!.times!.raw).toBeCloseTo(3)
    expect(line!.times!.net).toBeCloseTo(5)
    expect(line!.verdicts).toEqual([{ what: '≥ 2×', met: true }])
  })

  it('never compares what promises less', () => {
    const rows = [
      row('sealog', 'sealog', 1e6, { workload: 'put' }),
      row('honest', 'peer', 1e4, { workload: 'put' }),
      row('careless', 'peer', 9e5, { workload: 'put', promise: 'kill' }),
    ]
    expect(compare(rows)[0]!.best!.engine).toBe('honest')
    expect(compare(rows.filter(({ engine }) => engine !== 'honest'))[0]!.best).toBeUndefined()
  })

  it('knows where less is better', () => {
    const [line] = compare([
      row('sealog', 'sealog', 12, { workload: 'reopenkilled' }),
      row('a', 'peer', 24, { workload: 'reopenkilled' }),
      row('b', 'peer', 6, { workload: 'reopenkilled' }),
    ])
    expect(line!.best!.engine).toBe('b')
    expect(line!.times!.raw).toBe(0.5)
    expect(line!.verdicts).toEqual([{ what: '≤ 10', met: false }])
  })

  it('has other targets on a disk, the floor among them', () => {
    const rows = [
      row('sealog', 'sealog', 6000, { workload: 'put', fs: 'ext4', latency: { p50: 150, p9999: 9000 } }),
      row('peer', 'peer', 5500, { workload: 'put', fs: 'ext4' }),
      row('file', 'floor', 6500, { workload: 'put', fs: 'ext4' }),
    ]
    expect(compare(rows)[0]!.verdicts).toEqual([
      { what: '≥ 1.2×', met: false },
      { what: '≥ 0.9 of the floor', met: true },
    ])
  })

  it('looks at latencies in memory', () => {
    const [line] = compare([row('sealog', 'sealog', 1e6, { workload: 'put', latency: { p50: 0.9, p9999: 30 } })])
    expect(line!.verdicts).toEqual([
      { what: 'p50 ≤ 1 µs', met: true },
      { what: 'p99.99 ≤ 20 × p50', met: false },
    ])
  })

  it('has no verdict on few keys, or without a figure', () => {
    expect(compare([row('sealog', 'sealog', 1, { count: 2000 })])[0]!.verdicts).toEqual([])
    const { figure, ...failed } = row('sealog', 'sealog', 1)
    expect(figure).toBe(1)
    expect(compare([failed])[0]!.verdicts).toEqual([])
  })
})

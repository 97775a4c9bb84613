import { describe, expect, it } from 'vitest'
import { formatVerify, plain } from '../../../src/cli/verify.ts'
import type { VerifyProblem, VerifyReport } from '../../../src/index.ts'

function report(problems: VerifyProblem[], problemCount = problems.length): VerifyReport {
  return {
    ok: problemCount === 0,
    entries: 12,
    nodes: 3,
    records: 13,
    bytes: 2_000_000_000,
    problems,
    problemCount,
    durationMs: 1000,
    bytesPerSecond: 2e9,
  }
}

describe('the report of sealog verify', () => {
  it('is two lines where all is well', () => {
    expect(formatVerify('/s.sealog', report([]))).toBe(
      '/s.sealog: all is well\n  12 entries, 3 nodes, 13 records; 1.9 GiB in 1.00 s, 2.00 GB/s\n',
    )
  })

  it('lists problems with the keys of any type, and counts those that are not listed', () => {
    const problems: VerifyProblem[] = [
      { kind: 'record', offset: 4096, key: ['a', 1], detail: 'first' },
      { kind: 'value', offset: 1, key: Symbol.for('s'), namespace: 'n', detail: 'second' },
      { kind: 'node', offset: 2, key: Buffer.from([1, 255]), detail: 'third' },
      { kind: 'leak', offset: 3, detail: 'fourth' },
    ]
    expect(formatVerify('/s.sealog', report(problems, 9)).split('\n').slice(2)).toEqual([
      '  record at 4096, key ["a",1]: first',
      '  value at 1, key "Symbol(s)" of namespace \'n\': second',
      '  node at 2, key 0x01ff: third',
      '  leak at 3: fourth',
      '  and 5 more',
      '',
    ])
    const json = JSON.parse(JSON.stringify(plain(report(problems)))) as { problems: unknown[] }
    expect(json.problems[2]).toEqual({
      kind: 'node',
      offset: 2,
      key: '0x01ff',
      detail: 'third',
    })
  })
})

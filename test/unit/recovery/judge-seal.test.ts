import { describe, expect, it } from 'vitest'
import { judgeSeal } from '../../../src/recovery/judge-seal.ts'
import { testInfo, testProbe } from '../../support/fake-engine.ts'
import { testSeal } from '../../support/meta-bytes.ts'

describe('a seal', () => {
  it('is unchanged where the map is, also under another device number', () => {
    expect(judgeSeal(testSeal, testProbe, testInfo)).toEqual({ verdict: 'unchanged', reasons: [] })
    expect(judgeSeal(testSeal, { ...testProbe, device: 999 }, testInfo).verdict).toBe('unchanged')
  })

  it.each([
    ['another file system', testProbe, { ...testInfo, fsUuid: new Uint8Array(16).fill(1) }, /another file system/],
    ['a copy', { ...testProbe, inode: 5 }, testInfo, /copy/],
    ['a copy in the same inode', { ...testProbe, generation: 5 }, testInfo, /copy/],
    ['moved blocks', { ...testProbe, digestLo: 1 }, testInfo, /moved/],
    [
      'an unknown file system on another device',
      { ...testProbe, device: 1 },
      { ...testInfo, fsUuid: new Uint8Array(16) },
      /another/,
    ],
  ])('is made anew for %s', (_, probe, info, reason) => {
    const { verdict, reasons } = judgeSeal(testSeal, probe, info)
    expect(verdict).toBe('reseal')
    expect(reasons.join()).toMatch(reason)
  })

  it.each([
    ['holes', { ...testProbe, level: 0, holeBytes: 4096 }, /4096 bytes are holes/],
    ['unwritten extents', { ...testProbe, level: 1, unwrittenBytes: 8192 }, /8192 bytes are unwritten/],
    ['shared extents', { ...testProbe, level: 1, sharedBytes: 8192 }, /8192 bytes are shared/],
    ['less proof', { ...testProbe, level: 1 }, /less than it did/],
  ])('is repaired for %s', (_, probe, reason) => {
    const { verdict, reasons } = judgeSeal(testSeal, probe, testInfo)
    expect(verdict).toBe('repair')
    expect(reasons.join()).toMatch(reason)
  })

  it('without a record is made', () => {
    expect(judgeSeal(undefined, testProbe, testInfo).verdict).toBe('repair')
  })

  it('of a file system that never had more is left alone', () => {
    const probe = { ...testProbe, method: 'blocks' as const, level: 1 }
    expect(judgeSeal({ ...testSeal, level: 1 }, probe, testInfo).verdict).toBe('unchanged')
  })
})

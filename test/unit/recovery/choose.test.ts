import { describe, expect, it } from 'vitest'
import { Status } from '../../../src/engine/status.ts'
import { chooseMeta } from '../../../src/recovery/choose.ts'
import { encodeMeta, testSeal, testSlot, testSuperblock } from '../../support/meta-bytes.ts'

const fileBytes = testSuperblock.regionBytes
const choose = (meta: Buffer, bytes = fileBytes, readOnly = false) =>
  chooseMeta(meta.subarray(0, 32768), bytes, readOnly)
const older = { ...testSlot, sequence: 3, epoch: 8, lsn: 900 }

describe('superblocks', () => {
  it('the valid one with the greatest sequence is chosen', () => {
    const newer = { ...testSuperblock, sequence: 2, createdBy: 'newer' }
    expect(choose(encodeMeta({ superblocks: [testSuperblock, newer] }))).toMatchObject({
      ok: true,
      superblock: newer,
      findings: [],
    })
    expect(choose(encodeMeta({ superblocks: [newer, testSuperblock] }))).toMatchObject({ ok: true, superblock: newer })
  })

  it('a damaged one is replaced by the other, and that is reported', () => {
    const meta = encodeMeta({ superblocks: [{ ...testSuperblock, sequence: 2 }, testSuperblock] })
    meta[500] = 1
    expect(choose(meta)).toMatchObject({
      ok: true,
      superblock: { sequence: 1 },
      findings: ['superblock A is damaged (checksum)'],
    })
  })

  it('both damaged: corrupt, with the offset', () => {
    const meta = encodeMeta({ superblocks: [testSuperblock, testSuperblock] })
    meta[500] = 1
    meta[4500] = 1
    expect(choose(meta)).toMatchObject({ ok: false, status: Status.Corrupt, offset: 12 })
  })

  it('both overwritten, but the slots still there: corrupt rather than not a store', () => {
    expect(choose(encodeMeta({ superblocks: [] }))).toMatchObject({ ok: false, status: Status.Corrupt })
  })

  it.each([
    ['an empty file', Buffer.alloc(0)],
    ['a short file', Buffer.from('hello')],
    ['zeros', Buffer.alloc(65536)],
    ['something else', Buffer.alloc(65536, 'SQLite format 3')],
  ])('%s is not a store', (_, meta) => {
    expect(choose(meta, meta.length)).toMatchObject({ ok: false, status: Status.NotAStore })
  })

  it('a newer format version is refused even where an older copy would do', () => {
    const newer = { ...testSuperblock, sequence: 2, formatVersion: 2 }
    expect(choose(encodeMeta({ superblocks: [testSuperblock, newer] }))).toMatchObject({
      ok: false,
      status: Status.Version,
    })
    const before = { ...testSuperblock, sequence: 0, formatVersion: 2 }
    expect(choose(encodeMeta({ superblocks: [testSuperblock, before] }))).toMatchObject({ ok: true })
  })

  it('unknown features are refused, those that only matter to writers only when writing', () => {
    expect(choose(encodeMeta({ superblocks: [{ ...testSuperblock, featuresIncompat: 4n }] }))).toMatchObject({
      status: Status.Version,
    })
    const readable = encodeMeta({ superblocks: [{ ...testSuperblock, featuresReadOnly: 1n }] })
    expect(choose(readable)).toMatchObject({ ok: false, status: Status.Version })
    expect(choose(readable, fileBytes, true)).toMatchObject({ ok: true })
    expect(choose(encodeMeta({ superblocks: [{ ...testSuperblock, featuresCompat: 1n }] }))).toMatchObject({ ok: true })
  })

  it('a file shorter than its region is truncated', () => {
    expect(choose(encodeMeta(), fileBytes - 1)).toMatchObject({
      ok: false,
      status: Status.Truncated,
      offset: fileBytes - 1,
    })
  })
})

describe('checkpoint slots', () => {
  it('come newest first', () => {
    expect(choose(encodeMeta({ slots: [older, testSlot] }))).toMatchObject({
      slots: [{ sequence: 4 }, { sequence: 3 }],
      findings: [],
    })
  })

  it('a damaged one is left out and reported', () => {
    const meta = encodeMeta({ slots: [older, testSlot] })
    meta[8192 + 100] = 1
    expect(choose(meta)).toMatchObject({
      slots: [{ sequence: 3 }],
      findings: ['checkpoint slot 0 is damaged (checksum)'],
    })
  })

  it('one that refers to what is outside the store is left out', () => {
    for (const change of [
      { segmentCount: 17 },
      { segmentCount: 1 },
      { hot: { segment: 16, offset: 256, logSequence: 7, seed: 1 } },
      { hot: { segment: 0, offset: 256, logSequence: 7, seed: 1 } },
      { hot: { segment: 3, offset: 65536, logSequence: 7, seed: 1 } },
      { cold: { segment: 99, offset: 256, logSequence: 7, seed: 1 } },
      { roots: [{ index: fileBytes / 512, stamp: 1, count: 1 }, ...testSlot.roots.slice(1)] },
      { liveBytes: fileBytes + 1 },
    ]) {
      const choice = choose(encodeMeta({ slots: [older, { ...testSlot, ...change }] }))
      expect(choice).toMatchObject({
        slots: [{ sequence: 3 }],
        findings: ['checkpoint slot 0 refers to what is outside the store'],
      })
    }
  })

  it('none: corrupt', () => {
    expect(choose(encodeMeta({ slots: [] }))).toMatchObject({ ok: false, status: Status.Corrupt, offset: 8192 })
  })
})

describe('seal records', () => {
  it('the valid one with the greatest sequence is chosen, none is no refusal', () => {
    const newer = { ...testSeal, sequence: 4 }
    expect(choose(encodeMeta({ seals: [testSeal, newer] }))).toMatchObject({ seal: newer })
    const meta = encodeMeta({ seals: [testSeal, newer] })
    meta[16384 + 60] = 77
    expect(choose(meta)).toMatchObject({ seal: testSeal })
    expect(choose(encodeMeta({ seals: [] }))).toMatchObject({ ok: true, seal: undefined })
  })
})

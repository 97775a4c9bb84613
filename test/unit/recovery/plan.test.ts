import { describe, expect, it } from 'vitest'
import { Status } from '../../../src/engine/status.ts'
import type { CheckpointSlot } from '../../../src/layout/checkpoint.ts'
import { SegmentType } from '../../../src/layout/constants.ts'
import { chooseMeta, type MetaChoice } from '../../../src/recovery/choose.ts'
import { type Plan, planEntryBytes, planHeaderBytes, planStore } from '../../../src/recovery/plan.ts'
import {
  encodeMeta,
  freeHalf,
  testHalves,
  testSlot,
  testSuperblock,
  testUuid,
  type TestMeta,
} from '../../support/meta-bytes.ts'

const options = { checkpointBytes: 2 ** 21, readOnly: false }

function plan(given: TestMeta | Buffer, readOnly = false) {
  const meta = Buffer.isBuffer(given) ? given : encodeMeta(given)
  const choice = chooseMeta(meta.subarray(0, 32768), testSuperblock.regionBytes, readOnly)
  expect(choice.ok).toBe(true)
  return planStore(choice as MetaChoice, meta.subarray(32768), { ...options, readOnly })
}

const entry = (planned: Plan, segment: number): Buffer =>
  Buffer.from(planned.buffer).subarray(
    planHeaderBytes + segment * planEntryBytes,
    planHeaderBytes + (segment + 1) * planEntryBytes,
  )

describe('a plan', () => {
  it('has the fields of the checkpoint where docs/boundary.md says', () => {
    const older: CheckpointSlot = { ...testSlot, sequence: 3, epoch: 8 }
    const planned = plan({ slots: [testSlot, older] }) as Plan
    const buffer = Buffer.from(planned.buffer)
    expect(buffer).toHaveLength(256 + 16 * 32)
    expect([0, 4, 24, 28, 32, 36].map((at) => buffer.readUInt32LE(at))).toEqual([1, 0, 16, 16, 1, 64])
    expect(buffer.subarray(8, 24)).toEqual(Buffer.from(testUuid))
    expect([40, 48, 56, 64].map((at) => Number(buffer.readBigUInt64LE(at)))).toEqual([2 ** 21, 4, 9, 1000])
    expect([72, 76, 88].map((at) => buffer.readUInt32LE(at))).toEqual([3, 256, 0xabcdef01])
    expect(buffer.readBigUInt64LE(80)).toBe(7n)
    expect(buffer.readUInt32LE(96)).toBe(0xffffffff)
    expect(buffer.readBigUInt64LE(120)).toBe(513n | (5n << 40n))
    expect(buffer.readBigUInt64LE(128)).toBe(900n)
    expect([216, 224, 240, 248].map((at) => Number(buffer.readBigUInt64LE(at)))).toEqual([5000, 8, 0, 9])
    expect([232, 236].map((at) => buffer.readUInt32LE(at))).toEqual([0, 1])
  })

  it('has the current half of every segment', () => {
    const planned = plan({}) as Plan
    expect([...entry(planned, 0).subarray(0, 4)]).toEqual([SegmentType.Meta, 0, 0, 0])
    expect([...entry(planned, 2).subarray(0, 4)]).toEqual([SegmentType.Leaf, 0, 0, 0])
    const hot = entry(planned, 3)
    expect([...hot.subarray(0, 4)]).toEqual([SegmentType.Log, 0, 1, 0])
    expect([4, 8, 12].map((at) => hot.readUInt32LE(at))).toEqual([5000, 0xabcdef01, 0])
    expect([16, 24].map((at) => Number(hot.readBigUInt64LE(at)))).toEqual([7, 9])
  })

  it('passes read-only on', () => {
    expect(Buffer.from((plan({}, true) as Plan).buffer).readUInt32LE(4)).toBe(1)
  })

  it('ignores halves of a checkpoint that did not complete, marks them stale, and starts epochs above them', () => {
    const halves = testHalves()
    halves[5] = [freeHalf, { ...freeHalf, epoch: 12, type: SegmentType.Log }]
    halves[2] = [halves[2]![0], { ...freeHalf, epoch: 11, type: SegmentType.Inner }]
    const planned = plan({ halves }) as Plan
    expect([...entry(planned, 5).subarray(0, 4)]).toEqual([SegmentType.Free, 0, 0, 1])
    expect([...entry(planned, 2).subarray(0, 4)]).toEqual([SegmentType.Leaf, 0, 0, 1])
    expect(Buffer.from(planned.buffer).readBigUInt64LE(248)).toBe(12n)
  })

  it('takes the other half where one is torn, if the table still matches', () => {
    const meta = encodeMeta()
    meta[32768 + 5 * 64 + 32 + 9] = 0xee
    expect(plan(meta)).toMatchObject({ ok: true, findings: [] })
  })
})

describe('a table that does not belong to the checkpoint', () => {
  const lost = (): Buffer => {
    // The hot segment's current half rots: the half before it is valid, but not what the checkpoint saw.
    const older: CheckpointSlot = { ...testSlot, sequence: 3, epoch: 7, hot: undefined }
    const meta = encodeMeta({ slots: [testSlot, older] })
    meta[32768 + 3 * 64 + 32 + 10]! ^= 1
    return meta
  }

  it('is corrupt without another checkpoint', () => {
    const meta = encodeMeta()
    meta[32768 + 3 * 64 + 32 + 10]! ^= 1
    expect(plan(meta)).toMatchObject({ ok: false, status: Status.Corrupt })
  })

  it('makes the plan fall back to the other checkpoint, and say so', () => {
    expect(plan(lost())).toMatchObject({
      ok: true,
      slot: { sequence: 3 },
      findings: [expect.stringContaining('checkpoint 4 cannot be used') as string],
    })
  })

  it('is corrupt where a segment has no valid half, the wrong type, or more in use than it holds', () => {
    const cases: [number, Partial<typeof freeHalf> | undefined][] = [
      [7, undefined],
      [0, { type: SegmentType.Free }],
      [7, { type: SegmentType.Meta }],
      [7, { type: SegmentType.Leaf, live: 129 }],
      [7, { type: SegmentType.Inner, live: 17 }],
      [7, { type: SegmentType.Log, live: 65537 }],
      [3, { type: SegmentType.Log, epoch: 9, sequence: 6, check: 0xabcdef01 }],
      [3, { type: SegmentType.Log, epoch: 9, sequence: 7, check: 0 }],
      [3, { type: SegmentType.Leaf, epoch: 9 }],
    ]
    for (const [segment, change] of cases) {
      const halves = testHalves()
      halves[segment] = [change && { ...freeHalf, ...change }, undefined]
      expect(plan({ halves })).toMatchObject({ ok: false, status: Status.Corrupt })
    }
  })
})

import { describe, expect, it } from 'vitest'
import { classifyLog } from '../../../src/recovery/classify.ts'
import { testReplay } from '../../support/fake-engine.ts'
import { testSlot } from '../../support/meta-bytes.ts'

const cleanSlot = { ...testSlot, flags: 1, clean: true }
const torn = { kind: 'torn', offset: 3 * 65536 + 256 }

describe('the end of the log', () => {
  it('is clean after a clean close with nothing behind it', () => {
    expect(classifyLog(cleanSlot, testReplay, 65536)).toEqual({ kind: 'clean' })
    expect(classifyLog(cleanSlot, undefined, 65536)).toEqual({ kind: 'clean' })
  })

  it('is torn where the writer was stopped, also right after a clean opening', () => {
    expect(classifyLog(testSlot, testReplay, 65536)).toEqual(torn)
    expect(classifyLog(cleanSlot, { ...testReplay, frames: 1, lastLsn: 1001 }, 65536)).toEqual(torn)
    expect(classifyLog(testSlot, undefined, 65536)).toEqual({ kind: 'torn', offset: 0 })
  })

  it('is torn where a later frame did not know the missing one to be durable', () => {
    // LSN 1001 is missing; 1003 was written with 1001 to 1003 in flight.
    const later = { segment: 3, offset: 512, lsn: 1003, window: 3 }
    expect(classifyLog(testSlot, { ...testReplay, later }, 65536)).toEqual(torn)
  })

  it('is damaged where a later frame knew the missing one to be durable', () => {
    const later = { segment: 4, offset: 512, lsn: 1003, window: 2 }
    expect(classifyLog(testSlot, { ...testReplay, later }, 65536)).toEqual({
      ...torn,
      kind: 'damaged',
      laterOffset: 4 * 65536 + 512,
      laterLsn: 1003,
    })
    expect(classifyLog(cleanSlot, { ...testReplay, later }, 65536)).toMatchObject({ kind: 'damaged' })
  })
})

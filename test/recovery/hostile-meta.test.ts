// META that nobody should have written: recovery answers with a refusal that has a code, or a plan, in bounded time and memory.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Status } from '../../src/engine/status.ts'
import { isSealogError, open } from '../../src/index.ts'
import { layoutConstants, metaFixedBytes, metaSegments, segmentCountMax } from '../../src/layout/constants.ts'
import { chooseMeta, type Refusal } from '../../src/recovery/choose.ts'
import { type Plan, planHeaderBytes, planStore } from '../../src/recovery/plan.ts'
import { encodeMeta, testSlot, testSuperblock } from '../support/meta-bytes.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { goldenFiles, metaBases, metaCase, metaOf } from './meta-cases.ts'

const refusals: readonly number[] = [Status.Corrupt, Status.Version, Status.Truncated, Status.NotAStore]

function recover(image: Uint8Array, fileBytes: number, readOnly: boolean): Plan | Refusal {
  const choice = chooseMeta(image.subarray(0, metaFixedBytes), fileBytes, readOnly)
  if (!choice.ok) return choice
  const tableBytes = choice.superblock.segmentCount * layoutConstants.kSegmentEntryBytes
  const table = image.subarray(metaFixedBytes, metaFixedBytes + tableBytes)
  return planStore(choice, table, { checkpointBytes: 2 ** 20, readOnly })
}

function expectTyped(result: Plan | Refusal, fileBytes: number): void {
  if (result.ok) {
    expect((result.buffer.length - planHeaderBytes) / 32).toBeLessThanOrEqual(fileBytes / 16384)
    return
  }
  expect(refusals).toContain(result.status)
  expect(Number.isSafeInteger(result.offset) && result.offset >= 0).toBe(true)
  expect(result.detail).not.toBe('')
}

describe('the decision from META', () => {
  it('is a refusal for bytes at random', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40_000, size: 'max' }),
        fc.maxSafeNat(),
        fc.boolean(),
        (image, bytes, readOnly) => {
          const result = recover(image, bytes, readOnly)
          expect(result.ok).toBe(false)
          expectTyped(result, bytes)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('is a refusal or a plan where checksums hold and fields do not', () => {
    const bases = metaBases()
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, n) => {
        const { image, fileBytes, readOnly } = metaCase(bases, seed, n)
        expectTyped(recover(image, fileBytes, readOnly), fileBytes)
      }),
      { numRuns: 2000 },
    )
  })

  it('takes no more than the greatest table needs, for a store that claims more', () => {
    const claim = (segmentCount: number): Plan | Refusal => {
      const superblock = {
        ...testSuperblock,
        segmentBytesLog2: 14,
        segmentCount,
        tableCapacity: segmentCount,
        metaSegments: metaSegments(16384, segmentCount),
        regionBytes: segmentCount * 16384,
      }
      const slot = { ...testSlot, segmentCount: superblock.metaSegments + 1, hot: undefined }
      return recover(encodeMeta({ superblocks: [superblock, superblock], slots: [slot] }), 2 ** 53 - 1, false)
    }
    const began = performance.now()
    const before = process.memoryUsage().arrayBuffers
    expectTyped(claim(segmentCountMax), 2 ** 53)
    expectTyped(claim(segmentCountMax + 1), 2 ** 53)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(segmentCountMax * 32 + 2 ** 22)
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('open', () => {
  const codes = ['CORRUPT', 'VERSION', 'TRUNCATED', 'NOT_A_STORE', 'FULL', 'MEDIA'].map((code) => `ERR_SEALOG_${code}`)

  it('of a store with such a META throws a SealogError, or opens it', () => {
    const path = join(scratchDirectory(), 'hostile.sealog')
    const files = goldenFiles()
    let opened = 0
    fc.assert(
      fc.property(fc.nat(files.length - 1), fc.nat(), (which, n) => {
        const file = Buffer.from(files[which]!)
        const { image, fileBytes, readOnly } = metaCase([metaOf(file)], 1, n)
        image.copy(file)
        writeFileSync(path, file.subarray(0, fileBytes))
        try {
          const db = open(path, { readOnly, createIfMissing: false })
          try {
            db.count()
          } finally {
            db.close()
          }
          opened++
        } catch (error) {
          if (error instanceof TypeError && error.message.includes('custom encoding')) return
          if (!isSealogError(error)) throw error
          expect(codes).toContain(error.code)
        }
      }),
      { numRuns: 300 },
    )
    expect(opened).toBeGreaterThan(30)
  })
})

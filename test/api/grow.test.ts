// A store that grows while it is used: explicitly, by itself, as far as there is room, and not halfway.
import { existsSync, readFileSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { isSealogError, open, type Store, type GrowOptions } from '../../src/index.ts'
import { expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { run } from '../../scripts/loop-mount.mjs'
import { mountLoop, mountTmpfs, whyNoMounts } from '../support/mounts.ts'
import { openScratch, small } from '../support/scratch.ts'

const mib = 2 ** 20
const valueOf = (i: number): string => `${i};`.repeat(1000).slice(0, 1000)

function entries(count: number): { key: number; value: string }[] {
  return Array.from({ length: count }, (_, i) => ({ key: i, value: valueOf(i) }))
}

const inBatch = 16

/** Puts entries from `first` on until the store is full. @returns the error, and how many are in it */
function fill(db: Store<string>, first = 0): { error: unknown; count: number } {
  for (let i = first; i < 1e6; i += inBatch) {
    const batch = Array.from(
      { length: inBatch },
      (_, j) => ({ type: 'put', key: i + j, value: valueOf(i + j) }) as const,
    )
    try {
      db.batchSync(batch)
    } catch (error) {
      expectRefusal(error, 'ERR_SEALOG_FULL')
      return { error, count: i }
    }
  }
  throw new Error('it does not get full')
}

/** What a promise is rejected with; undefined if it is not. */
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  )

/** @returns what it has grown to */
async function growUnderLoad(db: Store<string>, capacity: string): Promise<number> {
  let grown = 0
  const done = db.grow(capacity).then((bytes) => (grown = bytes))
  for (let i = 0; grown === 0; i++) {
    db.putSync(i % 500, valueOf(i % 500))
    await db.put('asynchronous', valueOf(i))
    expect(db.get(i % 500)).toBe(valueOf(i % 500))
    await nextTurn() // microtasks alone would not let growth end
  }
  return done
}

describe.each(['memory', 'disk'] as const)('a store on %s', (on) => {
  it('takes more when it has grown, and has all that it had', async () => {
    const db = openScratch<string>({ encoding: 'string' }, on)
    let { count } = fill(db)
    const held = db.range()[Symbol.iterator]()
    const first = held.next().value
    const snapshot = db.snapshot()

    expect(await db.grow('12MiB')).toBe(12 * mib)
    expect(db.info.fileBytes).toBe(12 * mib)
    expect(statSync(db.path).size).toBe(12 * mib)
    expect(db.stats().space.segments).toBe((12 * mib) / 65536)
    const before = count
    ;({ count } = fill(db, count))
    expect(count).toBeGreaterThan(2 * before)
    expectSame([first, ...held], [...snapshot.range()])
    snapshot.release()
    expectSame([...db.range()], entries(count))

    await db.grow('14MiB')
    expect(await growUnderLoad(db, '20MiB')).toBe(20 * mib)
    db.removeSync('asynchronous')
    expectSame([...db.range()], entries(count))
    db.close()
    const again = open<string>(db.path)
    expect(again.recovery).toMatchObject({ outcome: 'clean', findings: [] })
    expect(again.seal).toMatchObject({ verified: 'unchanged', reasons: [] })
    expect(again.info.fileBytes).toBe(20 * mib)
    expectSame([...again.range()], entries(count))
    again.close()
  })

  it('grows by itself, up to its maximum', () => {
    const db = openScratch<string>({ encoding: 'string', autoGrow: { step: '2MiB', max: '10MiB' } }, on)
    const { error, count } = fill(db)
    expect(error).not.toHaveProperty('cause')
    expect(db.info.fileBytes).toBe(10 * mib)
    expectSame([...db.range()], entries(count))
    db.close()
    const again = open<string>(db.path, { autoGrow: { step: '2MiB', max: '12MiB' } })
    expect(fill(again, count).count).toBeGreaterThan(count)
    expect(again.info.fileBytes).toBe(12 * mib)
    again.close()
  })
})

describe('grow', () => {
  it('says how far it is, and rounds up to whole segments', async () => {
    const db = openScratch({}, 'disk')
    const seen: [number, number][] = []
    expect(await db.grow(12 * mib + 1, { onProgress: (done, total) => seen.push([done, total]) })).toBe(
      12 * mib + 65536,
    )
    expect(seen.at(-1)).toEqual([8 * mib + 65536, 8 * mib + 65536])
  })

  it('leaves a store that is large enough as it is', async () => {
    const db = openScratch()
    expect(await db.grow('4MiB')).toBe(4 * mib)
    expect(await rejectionOf(() => db.grow('3MiB'))).toBeInstanceOf(RangeError)
    expect(db.info.fileBytes).toBe(4 * mib)
  })

  it('is done one after the other', async () => {
    const db = openScratch()
    const grown = await Promise.all([db.grow('8MiB'), db.grow('6MiB').catch(() => 'refused'), db.grow('10MiB')])
    expect(grown).toEqual([8 * mib, 'refused', 10 * mib])
  })

  it('is refused beyond the segment table, and says what it has room for', async () => {
    const db = openScratch()
    const error = expectRefusal(await rejectionOf(() => db.grow('1TiB')), 'ERR_SEALOG_CAPACITY')
    const { bytesMax } = error.report as { bytesMax: number }
    expect(error.message).toContain(String(bytesMax))
    expect(await db.grow(bytesMax)).toBe(bytesMax)
    expectRefusal(await rejectionOf(() => db.grow(bytesMax + 1)), 'ERR_SEALOG_CAPACITY')
  })

  it('can be aborted, and then leaves nothing', async () => {
    const db = openScratch<string>({ encoding: 'string' }, 'disk')
    const { count } = fill(db)
    const reason = new Error('enough')
    expectRefusal(
      await rejectionOf(() => db.grow('16MiB', { signal: AbortSignal.abort(reason) })),
      'ERR_SEALOG_ABORTED',
    )
    const controller = new AbortController()
    const onProgress = (): void => {
      controller.abort(reason)
    }
    const error = await outcomeOf(db.grow('31MiB', { onProgress, signal: controller.signal }))
    // It may have been too quick.
    if (error !== undefined) {
      expectRefusal(error, 'ERR_SEALOG_ABORTED')
      expect((error as Error).cause).toBe(reason)
      expect(db.info.fileBytes).toBe(4 * mib)
      expect(statSync(db.path).size).toBe(4 * mib)
    }
    expectSame([...db.range()], entries(count))
    expect(await db.grow('31MiB')).toBe(31 * mib)
  })

  it('ends with the store', async () => {
    const db = openScratch<string>({ encoding: 'string' }, 'disk')
    db.putSync(1, 'one')
    const growing = outcomeOf(db.grow('24MiB'))
    await new Promise((resolve) => setTimeout(resolve, 1))
    db.close()
    const error = await growing
    if (error !== undefined) expectRefusal(error, 'ERR_SEALOG_CLOSED')
    expect([4 * mib, 24 * mib]).toContain(statSync(db.path).size)
    const again = open<string>(db.path)
    expect(again.get(1)).toBe('one')
    again.close()
    expectRefusal(await rejectionOf(() => again.grow('24MiB')), 'ERR_SEALOG_CLOSED')
  })

  it('is for a store that is written, and takes what it knows', async () => {
    const db = openScratch()
    for (const [wrong, options, type] of [
      ['12MB', {}, TypeError],
      [0, {}, RangeError],
      ['12MiB', { onprogress: 1 }, TypeError],
      ['12MiB', { onProgress: 1 }, TypeError],
      ['12MiB', { signal: {} }, TypeError],
    ] as const) {
      expect(await rejectionOf(() => db.grow(wrong, options as GrowOptions))).toBeInstanceOf(type)
    }
    db.close()
    const reader = open(db.path, { readOnly: true })
    expectRefusal(await rejectionOf(() => reader.grow('12MiB')), 'ERR_SEALOG_READONLY')
    reader.close()
  })
})

describe('a file that is longer than its store', () => {
  it('is as it was for a reader, and cut off for a writer, who says so', () => {
    const db = openScratch<string>({ encoding: 'string' })
    db.putSync(1, 'one')
    db.close()
    truncateSync(db.path, 6 * mib)
    const before = readFileSync(db.path)
    const reader = open<string>(db.path, { readOnly: true })
    expect(reader.get(1)).toBe('one')
    reader.close()
    expect(Buffer.compare(readFileSync(db.path), before)).toBe(0)
    const writer = open<string>(db.path)
    expect(writer.recovery).toMatchObject({ outcome: 'clean', usedFallback: false })
    expect(writer.recovery.findings).toEqual([expect.stringContaining('growth was cut off')])
    expect(writer.info.fileBytes).toBe(4 * mib)
    expect(statSync(db.path).size).toBe(4 * mib)
    expect(writer.seal.verified).toBe('unchanged')
    expect(writer.get(1)).toBe('one')
    writer.close()
  })

  it('of which one superblock is new is of the new size', async () => {
    const db = openScratch<string>({ encoding: 'string' })
    db.putSync(1, 'one')
    const before = readFileSync(db.path)
    await db.grow('6MiB')
    db.close()
    const image = readFileSync(db.path)
    before.copy(image, 0, 0, 4096)
    writeFileSync(db.path, image)
    const again = open<string>(db.path)
    expect(again.recovery.findings).toEqual([expect.stringContaining('growth to 6291456 bytes')])
    expect(again.info.fileBytes).toBe(6 * mib)
    expect(again.get(1)).toBe('one')
    again.close()
    const file = readFileSync(db.path)
    expect(Buffer.compare(file.subarray(0, 4096), file.subarray(4096, 8192))).toBe(0)
    const third = open(db.path)
    expect(third.recovery.findings).toEqual([])
    third.close()
  })
})

const whyNot = whyNoMounts()

describe.skipIf(whyNot !== undefined).each(['tmpfs', 'ext4', 'xfs'] as const)('on %s without room', (type) => {
  it.skipIf(type !== 'tmpfs' && !existsSync(`/sbin/mkfs.${type}`))('the store keeps its size and goes on', async () => {
    const directory = type === 'tmpfs' ? mountTmpfs(24 * mib) : mountLoop(type)
    const db = open<string>(join(directory, 'store'), { ...small, encoding: 'string', capacity: '8MiB' })
    try {
      const { count } = fill(db)
      // The file system takes no more than this; but the table would.
      run('fallocate', '--length', String(freeBytes(directory) - 6 * mib), join(directory, 'other'))
      const free = freeBytes(directory)
      const error = expectRefusal(await rejectionOf(() => db.grow('31MiB')), 'ERR_SEALOG_NO_SPACE')
      expect(error.message).toMatch(/goes on with its 8388608 bytes/)
      expect(error).toMatchObject({ path: db.path, errno: -28 })
      expect(statSync(db.path).size).toBe(8 * mib)
      expect(db.info.fileBytes).toBe(8 * mib)
      // What it had taken is back, but for what the file system's own book-keeping needs.
      expect(freeBytes(directory)).toBeGreaterThan(free - 512 * 1024)
      expectSame([...db.range()], entries(count))
      db.removeSync(count - 1)
      db.putSync('small', 'small')
      db.removeSync('small')
      db.putSync(count - 1, valueOf(count - 1))
      db.close()
      const again = open<string>(db.path, { autoGrow: { step: '20MiB', max: '31MiB' } })
      expectSame([...again.range()], entries(count))
      // By itself it cannot either, and the error says why.
      const full = fill(again, count)
      expect(isSealogError((full.error as Error).cause, 'ERR_SEALOG_NO_SPACE')).toBe(true)
      expectSame([...again.range()], entries(full.count))
      again.close()
    } finally {
      db.close()
    }
  })
})

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

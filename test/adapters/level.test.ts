// sealog/level against abstract-level's own suite, the one that every abstract-level database runs, and what that leaves open.
import { type EventEmitter, once } from 'node:events'
import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { AbstractIteratorOptions } from 'abstract-level'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isSealogError, open } from '../../src/index.ts'
import { type LevelOptions, SealogLevel } from '../../src/level.ts'
import { rejectionOf } from '../support/expect.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

/** What tape says of a test when it starts, and of each assertion. */
type Row =
  | { readonly type: 'test'; readonly name: string; readonly skip: boolean; readonly todo: boolean }
  | {
      readonly type: 'assert'
      readonly name: string
      readonly ok: boolean
      readonly skip?: unknown
      readonly todo?: unknown
      readonly expected: unknown
      readonly actual: unknown
    }
  | { readonly type: 'end' }

const require = createRequire(import.meta.url)
const { createHarness } = require('tape') as {
  createHarness: () => { createStream: (options: { objectMode: true }) => EventEmitter }
}
const suite = require('abstract-level/test') as (options: {
  test: unknown
  factory: (options?: LevelOptions) => SealogLevel
}) => void

const tiny = { capacity: '1MiB', segmentBytes: '16KiB' } as const satisfies LevelOptions

/** The suite looks at the options that hooks get, so these are added behind them. */
class TinyLevel extends SealogLevel {
  protected override _open(options: LevelOptions): Promise<void> {
    return super._open({ ...tiny, ...options })
  }
}

it('passes abstract-level/test', { timeout: 300_000 }, async () => {
  const directory = scratchDirectory()
  let databases = 0
  const factory = (options?: LevelOptions): SealogLevel => new TinyLevel(join(directory, String(databases++)), options)
  expect(factory().supports).toMatchObject({
    getSync: true,
    has: true,
    implicitSnapshots: true,
    explicitSnapshots: true,
    seek: true,
    createIfMissing: true,
    errorIfExists: true,
    signals: { iterators: true },
  })

  const harness = createHarness()
  const rows = harness.createStream({ objectMode: true })
  suite({ test: harness, factory })
  const counts = { tests: 0, assertions: 0, failed: 0, skipped: 0 }
  const failures: string[] = []
  let test = ''
  rows.on('data', (row: Row) => {
    if (row.type === 'end') return
    if (row.skip || row.todo) counts.skipped++
    if (row.type === 'test') {
      counts.tests++
      test = row.name
      return
    }
    counts.assertions++
    if (row.ok) return
    counts.failed++
    failures.push(`${test}: ${row.name}; expected ${inspect(row.expected)}, not ${inspect(row.actual)}`)
  })
  await once(rows, 'end')
  console.log(`abstract-level/test: ${JSON.stringify(counts)}`)
  expect(failures).toEqual([])
  expect(counts).toMatchObject({ failed: 0, skipped: 0 })
  expect(counts.assertions).toBeGreaterThanOrEqual(5168)
})

describe('SealogLevel', () => {
  /** A database that is closed when the test is over. */
  async function openLevel(options: LevelOptions = {}): Promise<SealogLevel> {
    const db = new SealogLevel(join(scratchDirectory(), 'db'), { ...tiny, ...options })
    onTestFinished(() => db.close())
    await db.open()
    return db
  }

  const numbered = (count: number): { type: 'put'; key: string; value: string }[] =>
    Array.from({ length: count }, (_, i) => ({ type: 'put', key: String(i).padStart(4, '0'), value: String(i) }))

  it('is a Sealog store of bytes, in one file, with the options of openAsync', async () => {
    const db = await openLevel({ durability: 'relaxed' })
    expect(statSync(`${db.location}.sealog`).size).toBe(2 ** 20)
    await db.batch([
      { type: 'put', key: '', value: 'empty' },
      { type: 'put', key: 'é', value: '' },
    ])
    await db.close()
    const store = open<Buffer, Buffer>(db.location, { readOnly: true })
    expect([...store.range()]).toEqual([
      { key: Buffer.of(0), value: Buffer.from('empty') },
      { key: Buffer.from('\0é'), value: Buffer.of() },
    ])
    store.close()
    await db.open()
    expect(await db.iterator().all()).toEqual([
      ['', 'empty'],
      ['é', ''],
    ])
  })

  it('passes on what Sealog refuses, as a cause or as it is', async () => {
    const db = await openLevel()
    const second = new SealogLevel(db.location, { durability: 'relaxed' })
    const refusal = (await rejectionOf(() => second.open())) as Error
    expect(refusal).toMatchObject({ code: 'LEVEL_DATABASE_NOT_OPEN' })
    expect(isSealogError(refusal.cause, 'ERR_SEALOG_LOCKED')).toBe(true)
    const longest = 'k'.repeat(1983)
    await db.put(longest, 'fits')
    expect(db.getSync(longest)).toBe('fits')
    expect(isSealogError(await rejectionOf(() => db.put(`${longest}k`, '')), 'ERR_SEALOG_KEY_TOO_LARGE')).toBe(true)
    expect(() => new SealogLevel('')).toThrow(TypeError)
  })

  it('refuses a snapshot of another database', async () => {
    const [db, other] = [await openLevel(), await openLevel()]
    const snapshot = other.snapshot()
    expect(() => db.getSync('a', { snapshot })).toThrow(TypeError)
    expect(() => db.iterator({ snapshot })).toThrow(TypeError)
    expect(await rejectionOf(() => db.clear({ snapshot }))).toBeInstanceOf(TypeError)
    await snapshot.close()
  })

  it('reads and clears more than a slice, and what is written meanwhile neither shows nor goes', async () => {
    const db = await openLevel(small)
    await db.batch(numbered(2500))
    const all = db.iterator().all()
    const cleared = db.clear({ gte: '0100', limit: 2300 })
    await db.put('0200a', 'new')
    expect(await all).toEqual(numbered(2500).map(({ key, value }) => [key, value]))
    await cleared
    expect(await db.keys({ gte: '0099' }).all()).toEqual([
      '0099',
      '0200a',
      ...numbered(2500)
        .slice(2400)
        .map(({ key }) => key),
    ])
    await db.clear({ gt: '0001', lte: '2499' })
    expect(await db.keys().all()).toEqual(['0000', '0001'])
  })

  // The suite has such cases in functions that it never calls.
  it.each<[AbstractIteratorOptions<string, string>, target: string, found: string | undefined]>([
    [{ gt: '5' }, '5', undefined],
    [{ gte: '5' }, '4', undefined],
    [{ gte: '5' }, '5', '5'],
    [{ gte: '5', gt: '7' }, '5', '5'],
    [{ gte: '5', gt: '3' }, '4', undefined],
    [{ lt: '5' }, '4', '4'],
    [{ lt: '5' }, '5', undefined],
    [{ lte: '5', lt: '3' }, '5', '5'],
    [{ lte: '5' }, '51', undefined],
    [{ gte: '3', lt: '5', reverse: true }, '31', '3'],
    [{ lt: '5', reverse: true }, '5', undefined],
    [{ lte: '5', reverse: true }, '6', undefined],
    [{ gt: '5', reverse: true }, '6', '6'],
    [{ gt: '5', reverse: true }, '5', undefined],
  ])('seeks within the range %o only: to %s', async (range, target, found) => {
    const db = await openLevel()
    await db.batch(Array.from({ length: 10 }, (_, i) => ({ type: 'put', key: String(i), value: '' })))
    for (const it of [db.iterator(range), db.iterator({ ...range, snapshot: db.snapshot() })]) {
      it.seek(target)
      expect((await it.next())?.[0]).toBe(found)
      it.seek(target)
      expect((await it.all())[0]?.[0]).toBe(found)
    }
  })

  it('lets the event loop go on while it reads everything, and can be aborted there', async () => {
    const db = await openLevel(small)
    await db.batch(numbered(2500))
    const abort = new AbortController()
    const all = rejectionOf(() => db.iterator({ signal: abort.signal }).all())
    setImmediate(() => {
      abort.abort('enough')
    })
    expect(await all).toMatchObject({ name: 'AbortError', code: 'LEVEL_ABORTED', cause: 'enough' })
  })
})

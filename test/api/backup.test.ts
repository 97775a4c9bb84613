// Backup and restore: a copy is what a snapshot at the call was, while writing goes on; nothing is left of one that fails.
import {
  createReadStream,
  createWriteStream,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { open, type OpenOptions, type ReadView, restore, type Store } from '../../src/index.ts'
import { expectRefusal, expectSame, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

const hourMs = 3_600_000

function fill(db: Store): void {
  for (let i = 0; i < 3_000; i++) void db.put(['key', i], { i, text: 'x'.repeat(i % 90) })
  for (let i = 0; i < 3_000; i += 7) db.removeSync(['key', i])
  const sessions = db.namespace<string>('sessions', { ttl: hourMs })
  for (let i = 0; i < 200; i++) sessions.putSync(i, `session ${i}`)
  db.putSync('large', Buffer.alloc(150_000, 3))
}

/** Every entry of the default namespace and of 'sessions', with versions and times if asked. */
function contents(db: Store, view: ReadView = db, versions = true): unknown[] {
  const all: unknown[] = []
  for (const [each, keys] of [
    [view, view.keys()],
    [viewOfSessions(db, view), viewOfSessions(db, view).keys()],
  ] as const) {
    for (const key of keys) {
      const { value, version, expiresAt } = each.getEntry(key) ?? { value: undefined, version: 0, expiresAt: undefined }
      all.push([key, value, expiresAt, versions ? version : 0])
    }
  }
  return all
}
function viewOfSessions(db: Store, view: ReadView): ReadView {
  const sessions = db.namespace('sessions')
  return 'namespace' in view && view !== db ? (view as ReturnType<Store['snapshot']>).namespace(sessions) : sessions
}

/** Puts and removes as fast as it can until it is stopped. */
function startWriter(db: Store): () => Promise<number> {
  let stopped = false
  const run = (async () => {
    let writes = 0
    while (!(stopped as boolean)) {
      for (let i = 0; i < 50; i++) {
        const key = ['key', (writes++ * 31) % 4_000]
        if (writes % 5 === 0) void db.remove(key)
        else void db.put(key, { written: writes })
      }
      await db.flush()
      await nextTurn()
    }
    return writes
  })()
  return () => {
    stopped = true
    return run
  }
}

function reopen(path: string, options: OpenOptions = {}): Store {
  const db = open(path, { createIfMissing: false, ...options })
  onTestFinished(() => {
    db.close()
  })
  return db
}

const shape = { capacity: '16MiB', segmentBytes: '64KiB', checkpointBytes: '64KiB' } as const

describe('a backup', () => {
  it.each(['memory', 'disk'] as const)(
    'made while writing goes on is what a snapshot at its start was (%s)',
    async (where) => {
      const directory = scratchDirectory(where)
      const db = open(join(directory, 'store'), shape)
      onTestFinished(() => {
        db.close()
      })
      fill(db)
      const stop = startWriter(db)
      for (let round = 0; round < 4; round++) {
        await nextTurn()
        using snapshot = db.snapshot()
        const running = db.backup(join(directory, `copy-${round}`))
        const report = await running
        expect(report.path).toBe(join(directory, `copy-${round}.sealog`))
        const copy = reopen(String(report.path))
        expect(copy.recovery.outcome).toBe('clean')
        expectSame(contents(copy), contents(db, snapshot))
        expect((await copy.verify()).problems).toEqual([])
        copy.putSync('after', 1)
        copy.close()
        const again = reopen(String(report.path))
        expect(again.get('after')).toBe(1)
        expect((await again.verify()).problems).toEqual([])
      }
      expect(await stop()).toBeGreaterThan(0)
      expect((await db.verify()).problems).toEqual([])
      // Nothing is held on to.
      db.putSync('x', 1)
      await db.flush()
      expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([])
    },
  )

  it('to a stream is restored with the capacity of the store, or another', async () => {
    const directory = scratchDirectory()
    const db = openScratch(shape)
    fill(db)
    const stop = startWriter(db)
    using snapshot = db.snapshot()
    const chunks: Buffer[] = []
    const report = await db.backup(
      new Writable({
        write(chunk: Buffer, _, done) {
          chunks.push(chunk)
          setTimeout(done, 1)
        },
      }),
    )
    await stop()
    const bytes = Buffer.concat(chunks)
    expect(bytes.length).toBe(report.bytes)
    expect(report.path).toBeUndefined()
    for (const capacity of [undefined, '32MiB'] as const) {
      const path = join(directory, `to ${capacity ?? 'default'}`)
      const made = await restore(
        Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000, 70_000), bytes.subarray(70_000)]),
        path,
        {
          ...(capacity !== undefined && { capacity }),
        },
      )
      expect(made.capacityBytes).toBe(capacity === undefined ? 16 * 2 ** 20 : 32 * 2 ** 20)
      expect(made.verified.ok).toBe(true)
      const copy = reopen(made.path)
      expectSame(contents(copy), contents(db, snapshot))
      for (let i = 0; i < 3_000; i++) void copy.put(i, 'more')
      await copy.flush()
      expect((await copy.verify()).problems).toEqual([])
    }
    // And it opens by itself.
    writeFileSync(join(directory, 'raw.sealog'), bytes)
    const raw = reopen(join(directory, 'raw'), { readOnly: true })
    expectSame(contents(raw), contents(db, snapshot))
    raw.close()
    expect((await reopen(join(directory, 'raw')).verify()).problems).toEqual([])
  })

  it('is what was there at the call though all of it is replaced, several times, before it is read', async () => {
    const db = openScratch({ ...shape, capacity: '32MiB' })
    for (let i = 0; i < 3_000; i++) void db.put(i, `${i} ${'x'.repeat(2_000)}`)
    await db.flush()
    // In memory: a snapshot would hold on to the state, too.
    const expected = db.range().toArray()
    const chunks: Buffer[] = []
    const slow = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk)
        for (let i = 0; i < 9_000; i++) db.putSync(i % 3_000, `${chunks.length} ${'y'.repeat(2_000)}`)
        setImmediate(done)
      },
    })
    await db.backup(slow)
    expect(chunks.length).toBeGreaterThan(4)
    const { path, verified } = await restore(Readable.from(chunks), join(scratchDirectory(), 'copy'))
    expect(verified.problems).toEqual([])
    expectSame(reopen(path).range().toArray(), expected)
    expect((await db.verify()).problems).toEqual([])
  })

  it('that is compact has the entries, in less room, with versions of its own', async () => {
    const directory = scratchDirectory()
    const db = openScratch(shape)
    fill(db)
    for (let round = 0; round < 20; round++) for (let i = 0; i < 3_000; i++) void db.put(['key', i], { round, i })
    db.namespace<string>('sessions').putSync('gone', 'x', { ttl: 1 })
    await db.flush()
    const plain = await db.backup(join(directory, 'plain'))
    using snapshot = db.snapshot()
    const running = db.backup(join(directory, 'compact'), { compact: true })
    db.clearSync()
    const compact = await running
    expect(compact.bytes).toBeLessThan(plain.bytes)
    const copy = reopen(join(directory, 'compact'))
    expectSame(contents(copy, copy, false), contents(db, snapshot, false))
    expect((await copy.verify()).problems).toEqual([])
    copy.putSync('after', 1)
    const stream = createWriteStream(join(directory, 'stream'))
    await db.backup(stream, { compact: true })
    expect((await restore(createReadStream(join(directory, 'stream')), join(directory, 'restored'))).verified.ok).toBe(
      true,
    )
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('of a store that is open for reading, replayed from its log, is made too', async () => {
    const directory = scratchDirectory()
    const db = openScratch(shape)
    fill(db)
    await db.verify()
    for (let i = 0; i < 100; i++) db.putSync(['key', i], 'in the log only')
    writeFileSync(join(directory, 'killed.sealog'), readFileSync(db.path))
    const reader = reopen(join(directory, 'killed'), { readOnly: true })
    expect(reader.recovery.recordsReplayed).toBeGreaterThan(0)
    await reader.backup(join(directory, 'copy'))
    expectSame(contents(reopen(join(directory, 'copy'))), contents(reader))
    expect((await reader.verify()).problems).toEqual([])
  })

  it('leaves nothing when it is aborted, fails or the store is closed', async () => {
    const directory = scratchDirectory()
    const db = openScratch({ ...shape, capacity: '64MiB' })
    fill(db)
    for (let i = 0; i < 12; i++) db.putSync(`big ${i}`, Buffer.alloc(2_000_000))
    for (const compact of [false, true]) {
      const controller = new AbortController()
      const stop = {
        signal: controller.signal,
        compact,
        onProgress: () => {
          controller.abort('enough')
        },
      }
      const aborted = rejectionOf(() => db.backup(join(directory, 'a'), stop))
      if (compact)
        setTimeout(() => {
          controller.abort('enough')
        }, 5)
      expect(expectRefusal(await aborted, 'ERR_SEALOG_ABORTED').cause).toBe('enough')
    }
    const early = rejectionOf(() => db.backup(join(directory, 'a'), { signal: AbortSignal.abort() }))
    expectRefusal(await early, 'ERR_SEALOG_ABORTED')
    expectRefusal(await rejectionOf(() => db.backup(join(directory, 'none', 'a'))), 'ERR_SEALOG_ABSENT')
    const broken = new Writable({
      write(_chunk, _encoding, done) {
        done(new Error('no room'))
      },
    })
    expect(await rejectionOf(() => db.backup(broken))).toMatchObject({ message: 'no room' })
    expect(await rejectionOf(() => db.backup(5 as never))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(() => db.backup('x', { compress: true } as never))).toBeInstanceOf(TypeError)
    writeFileSync(join(directory, 'taken.sealog'), 'mine')
    expectRefusal(await rejectionOf(() => db.backup(join(directory, 'taken'))), 'ERR_SEALOG_EXISTS')
    expect(readFileSync(join(directory, 'taken.sealog'), 'utf8')).toBe('mine')

    const before = db.stats().pins.oldest
    for (let i = 0; i < 5; i++) {
      db.putSync('x', i)
      await db.verify()
    }
    expect(db.stats().pins.oldest).toBeGreaterThan(before)

    const closing = rejectionOf(() => db.backup(join(directory, 'closing')))
    await nextTurn()
    db.close()
    expectRefusal(await closing, 'ERR_SEALOG_CLOSED')
    expect(readdirSync(directory)).toEqual(['taken.sealog'])
  })
})

describe('restore', () => {
  async function backedUp(): Promise<string> {
    const db = openScratch(shape)
    fill(db)
    const path = join(scratchDirectory(), 'backup')
    await db.backup(createWriteStream(path))
    return path
  }

  it('refuses what is taken, damaged, cut off or no backup, and leaves nothing', async () => {
    const directory = scratchDirectory()
    const target = join(directory, 'store')
    const attempt = (from: string | Readable, options = {}) => rejectionOf(() => restore(from, target, options))
    const backup = await backedUp()
    const whole = readFileSync(backup)

    const damaged = Buffer.from(whole)
    const at = damaged.lastIndexOf('session 123')
    damaged.write('S', at)
    expectRefusal(await attempt(Readable.from([damaged])), 'ERR_SEALOG_CORRUPT')
    for (const bytes of [10, 30_000, 40_000, 100_000, statSync(backup).size - 65_536]) {
      const error = await attempt(Readable.from([whole.subarray(0, bytes)]))
      expectRefusal(error, bytes === 10 ? 'ERR_SEALOG_NOT_A_STORE' : 'ERR_SEALOG_TRUNCATED')
    }
    expectRefusal(await attempt(Readable.from([Buffer.alloc(100_000, 'no store')])), 'ERR_SEALOG_NOT_A_STORE')
    expectRefusal(await attempt(join(directory, 'absent')), 'ERR_SEALOG_ABSENT')
    expect(await attempt(Readable.from([whole]), { capacity: '128KiB' })).toBeInstanceOf(RangeError)
    expect(await attempt(Readable.from([whole]), { capacity: '1TiB' })).toBeInstanceOf(RangeError)
    expect(await attempt(Readable.from([whole]), { size: 1 })).toBeInstanceOf(TypeError)
    expect(await attempt(5 as never)).toBeInstanceOf(TypeError)
    expectRefusal(await attempt(Readable.from([whole]), { signal: AbortSignal.abort() }), 'ERR_SEALOG_ABORTED')
    expect(readdirSync(directory)).toEqual([])

    writeFileSync(`${target}.sealog`, 'mine')
    expectRefusal(await attempt(Readable.from([whole])), 'ERR_SEALOG_EXISTS')
    expect(readFileSync(`${target}.sealog`, 'utf8')).toBe('mine')
  })

  it('takes a backup that is a file, and one whose first superblock is gone', async () => {
    const directory = scratchDirectory()
    const db = openScratch(shape)
    fill(db)
    await db.backup(join(directory, 'copy'))
    await restore(join(directory, 'copy.sealog'), join(directory, 'restored'))
    expectSame(contents(reopen(join(directory, 'restored'))), contents(db))
    const stream = readFileSync(await backedUp())
    stream.fill(0xff, 100, 200)
    const made = await restore(Readable.from([stream]), join(directory, 'second'))
    expect(made.capacityBytes).toBe(16 * 2 ** 20)
    expect(existsSync(made.path)).toBe(true)
  })
})

// Writing and reading: the synchronous and the promise form of each, what they promise, and how a store ends.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open, openAsync, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory, small } from '../support/scratch.ts'

const places = ['memory', 'disk'] as const

describe.each(places)('writing, with the store in/on the %s', (place) => {
  it('is visible and durable when a synchronous call returns', () => {
    const db = openScratch({}, place)
    db.putSync('a', 1)
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
    db.batchSync([
      { type: 'put', key: 'b', value: 2 },
      { type: 'del', key: 'a' },
    ])
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
    expect([...db.range()]).toEqual([{ key: 'b', value: 2 }])
    expect(db.removeSync('b')).toBe(true)
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
    expect(db.count()).toBe(0)
  })

  it('with a promise is visible at once, and durable when that resolves', async () => {
    const db = openScratch({}, place)
    db.putSync('gone', 1)
    const put = db.put('a', 1)
    expect(db.get('a')).toBe(1)
    const batch = db.batch([
      { type: 'put', key: 'b', value: 2 },
      { type: 'put', key: 'a', value: 'replaced' },
    ])
    expect([...db.values({ lte: 'b' })]).toEqual(['replaced', 2])
    const removed = db.remove('gone')
    expect(db.has('gone')).toBe(false)
    const { lsn } = db.stats()
    expect(await Promise.all([put, batch, removed])).toEqual([undefined, true, true])
    expect(db.stats().durableLsn).toBeGreaterThanOrEqual(lsn)
  })

  it('in one turn shares a commit', async () => {
    const db = openScratch({}, place)
    await db.put('first', 0)
    const before = db.stats().persist
    await Promise.all(Array.from({ length: 100 }, (_, i) => db.put(i, { i })))
    const after = db.stats().persist
    // Its own, and what a new log segment or a checkpoint may add.
    expect(after.fences - before.fences - (after.checkpointFences - before.checkpointFences)).toBeLessThanOrEqual(4)
    expect(after.syncs - before.syncs).toBeLessThanOrEqual(10)
    expect(db.count({ gte: 0, lte: 99 })).toBe(100)
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
  })

  it('is durable after flush, however it was written', async () => {
    const db = openScratch({}, place)
    await db.flush()
    for (let i = 0; i < 20; i++) void db.put(i, i)
    await db.flush()
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
    await db.flush()
  })

  it('many times in turns of all kinds ends with what was written last', async () => {
    const db = openScratch<number>({ capacity: '8MiB' }, place)
    const pending: Promise<unknown>[] = []
    for (let i = 0; i < 300; i++) {
      pending.push(db.put(i % 7, i))
      if (i % 5 === 0) db.putSync(i % 7, -i)
      if (i % 11 === 0) await Promise.all(pending.splice(0))
      if (i % 13 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(pending)
    const last = Array.from({ length: 7 }, (_, key) => {
      const i = 299 - ((299 - key) % 7)
      return i % 5 === 0 ? -i : i
    })
    expect([...db.values()]).toEqual(last)
    db.close()
    const again = open<number>(db.path)
    expect([...again.values()]).toEqual(last)
    again.close()
  })
})

describe('batches', () => {
  it('are in order: of two changes of a key the last one counts', () => {
    const db = openScratch()
    db.putSync('c', 'old')
    db.batchSync([
      { type: 'put', key: 'a', value: 1 },
      { type: 'del', key: 'a' },
      { type: 'put', key: 'b', value: 1 },
      { type: 'put', key: 'b', value: 2 },
      { type: 'del', key: 'c' },
      { type: 'put', key: 'c', value: 'new' },
      { type: 'del', key: 'never' },
    ])
    expect([...db.range()]).toEqual([
      { key: 'b', value: 2 },
      { key: 'c', value: 'new' },
    ])
  })

  it('may be empty, or come from a generator, or be large', async () => {
    const db = openScratch<number>({ capacity: '16MiB' })
    db.batchSync([])
    await db.batch([])
    expect(db.stats().entries).toBe(0)
    function* operations(): Generator<{ type: 'put'; key: number; value: number }> {
      for (let i = 0; i < 5_000; i++) yield { type: 'put', key: i, value: i * 2 }
    }
    await db.batch(operations())
    expect([...db.values()]).toEqual(Array.from({ length: 5_000 }, (_, i) => i * 2))
    expect(new Set([0, 2_500, 4_999].map((key) => db.getEntry(key)?.version)).size).toBeLessThanOrEqual(3)
  })

  it('come through as a whole with large values in them', () => {
    const db = openScratch<string>({ capacity: '8MiB' })
    db.putSync('a', 'old')
    db.batchSync([
      { type: 'put', key: 'large', value: 'L'.repeat(1_000_000) },
      { type: 'put', key: 'small', value: 's' },
      { type: 'del', key: 'a' },
    ])
    db.close()
    const again = open<string>(db.path)
    expect([...again.keys()]).toEqual(['large', 'small'])
    expect(again.get('large')).toBe('L'.repeat(1_000_000))
    again.close()
  })
})

describe('reading', () => {
  it('tells an absent key from an undefined or null value', () => {
    const db = openScratch()
    db.putSync('null', null)
    db.putSync('list', [undefined])
    expect(db.get('null')).toBeNull()
    expect(db.getEntry('null')).toMatchObject({ value: null })
    expect(db.has('null')).toBe(true)
    for (const key of ['absent', 0, null, ['null']]) {
      expect(db.get(key)).toBeUndefined()
      expect(db.getBinary(key)).toBeUndefined()
      expect(db.getEntry(key)).toBeUndefined()
      expect(db.has(key)).toBe(false)
    }
    expect(db.getMany(['null', 'absent', 'list'])).toEqual([null, undefined, [undefined]])
    expect(db.getMany(new Set(['list']))).toEqual([[undefined]])
    expect(db.getMany([])).toEqual([])
  })

  it('gives versions that grow with every commit, and none to what was not written', () => {
    const db = openScratch()
    const version = (key: string): number => db.getEntry(key)!.version
    db.putSync('a', 1)
    db.putSync('b', 1)
    const [a, b] = [version('a'), version('b')]
    expect(a).toBeGreaterThan(0)
    expect(b).toBeGreaterThan(a)
    db.putSync('a', 1)
    expect(version('a')).toBeGreaterThan(b)
    expect(version('b')).toBe(b)
    db.close()
    const again = open(db.path)
    expect(again.getEntry('b')).toEqual({ value: 1, version: b })
    again.putSync('b', 2)
    expect(again.getEntry('b')!.version).toBeGreaterThan(b)
    again.close()
  })

  it('gives the stored bytes with getBinary, whatever the encoding', () => {
    const json = openScratch({ encoding: 'json' })
    json.putSync('a', { b: [1] })
    expect(json.getBinary('a')?.toString()).toBe('{"b":[1]}')
    const string = openScratch({ encoding: 'string' })
    string.putSync('a', 'ü')
    expect(string.getBinary('a')).toEqual(Buffer.from('ü'))
  })
})

describe('the end of a store', () => {
  it('may come twice, and leaves it clean', () => {
    const db = openScratch()
    db.putSync('a', 1)
    db.close()
    db.close()
    expect(db.closed).toBe(true)
    const again = open(db.path)
    expect(again.recovery).toMatchObject({ outcome: 'clean', framesReplayed: 0, tornAt: null })
    expect(again.get('a')).toBe(1)
    again.close()
  })

  it.each(places)('makes durable what is pending, and resolves its promises (%s)', async (place) => {
    const db = openScratch({}, place)
    await db.put('warm', 0)
    const pending: Promise<unknown>[] = []
    for (let i = 0; i < 10; i++) pending.push(db.put(i, i))
    pending.push(db.flush(), db.remove('warm'))
    db.close()
    await Promise.all(pending)
    const again = open(db.path)
    expect([...again.keys()]).toEqual(Array.from({ length: 10 }, (_, i) => i))
    again.close()
  })

  it.each(places)('may come while a commit is on its way to the device (%s)', async (place) => {
    const db = openScratch({}, place)
    const pending: Promise<unknown>[] = [db.put('a', 1)]
    // One group is with another thread now; this one waits behind it.
    await new Promise((resolve) => setImmediate(resolve))
    pending.push(db.put('b', 2))
    db.close()
    await Promise.all(pending)
    const again = open(db.path)
    expect([...again.values()]).toEqual([1, 2])
    again.close()
  })

  it('comes with using', async () => {
    const path = join(scratchDirectory(), 'store')
    let seen: Store | undefined
    {
      using db = open(path, small)
      db.putSync('a', 1)
      seen = db
    }
    expect(seen.closed).toBe(true)
    let pending: Promise<void>
    {
      await using db = await openAsync(path)
      pending = db.put('b', 2)
      seen = db
    }
    await pending
    expect(seen.closed).toBe(true)
    {
      await using db = open(path, { readOnly: true })
      expect([...db.values()]).toEqual([1, 2])
      seen = db
    }
    expect(seen.closed).toBe(true)
  })
})

describe('openAsync', () => {
  it('creates as open does, and tells how far it is', async () => {
    const path = join(scratchDirectory('disk'), 'store')
    const told: [number, number][] = []
    const db = await openAsync(path, { ...small, onProgress: (done, total) => told.push([done, total]) })
    expect(db.recovery.outcome).toBe('created')
    expect(told.length).toBeGreaterThan(0)
    const totals = new Set(told.map(([, total]) => total))
    expect(told.at(-1)![0]).toBe(told.at(-1)![1])
    expect(totals.size).toBe(1)
    for (let i = 1; i < told.length; i++) expect(told[i]![0]).toBeGreaterThanOrEqual(told[i - 1]![0])
    db.putSync('a', 1)
    db.close()

    const other = open(join(scratchDirectory('disk'), 'store'), small)
    expect(db.info).toMatchObject({ fileBytes: other.info.fileBytes, domain: other.info.domain, readOnly: false })
    expect(db.seal.verified).toBe(other.seal.verified)
    other.close()

    const again = await openAsync(path, { onProgress: () => told.push([0, 0]) })
    expect(again.recovery.outcome).toBe('clean')
    expect(again.get('a')).toBe(1)
    expect(told).not.toContainEqual([0, 0])
    again.close()
  })

  it('refuses with the signal that was aborted before, and makes nothing', async () => {
    const path = join(scratchDirectory(), 'store')
    const reason = new Error('not wanted')
    const error = await rejectionOf(() => openAsync(path, { ...small, signal: AbortSignal.abort(reason) }))
    expect(expectRefusal(error, 'ERR_SEALOG_ABORTED').cause).toBe(reason)
    expect(readdirSync(dirname(path))).toEqual([])
  })

  it('stops when the signal is aborted, and leaves nothing behind', async () => {
    const path = join(scratchDirectory('disk'), 'store')
    const controller = new AbortController()
    const opening = rejectionOf(() => openAsync(path, { capacity: '512MiB', signal: controller.signal }))
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    const error = expectRefusal(await opening, 'ERR_SEALOG_ABORTED')
    expect((error.cause as Error).name).toBe('AbortError')
    expect(readdirSync(dirname(path))).toEqual([])
    const db = await openAsync(path, { ...small, signal: new AbortController().signal })
    db.close()
  })

  it('is created once, when two create the same store at once', async () => {
    const path = join(scratchDirectory(), 'store')
    const opened = await Promise.all([openAsync(path, small), openAsync(path, small)])
    opened[0].putSync('a', 1)
    expect(opened[1].get('a')).toBe(1)
    for (const db of opened) db.close()
    expect(readdirSync(dirname(path))).toEqual(['store.sealog'])
  })

  it('does not mind an abort after the end', async () => {
    const path = join(scratchDirectory(), 'store')
    const controller = new AbortController()
    const db = await openAsync(path, { ...small, signal: controller.signal })
    controller.abort()
    db.putSync('a', 1)
    expect(db.get('a')).toBe(1)
    db.close()
    expect(existsSync(db.path)).toBe(true)
  })
})

describe('several stores', () => {
  it('have nothing to do with each other', () => {
    const stores = Array.from({ length: 10 }, () => openScratch<number>())
    stores.forEach((db, i) => {
      db.putSync('n', i)
    })
    stores.forEach((db, i) => {
      expect(db.get('n')).toBe(i)
    })
    stores[3]!.close()
    expectRefusal(
      errorOf(() => stores[3]!.get('n')),
      'ERR_SEALOG_CLOSED',
    )
    expect(stores[4]!.get('n')).toBe(4)
  })
})

// Times to live: an expired entry is invisible to everything at once, and gone for good a little later; nothing else ever is.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type BatchOperation, open, type PutOptions, type ReadView, type Store, type Table } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

const past = (): number => Date.now() - 1
const hour = 3_600_000

afterEach(() => {
  vi.restoreAllMocks()
})

/** Entries that are really there, whatever is visible. */
const stored = (db: Store): number => db.stats().entries

describe('an expired entry', () => {
  const parts: [string, (db: Store) => Table][] = [
    ['the default namespace', (db) => db],
    ['a namespace', (db) => db.namespace('ns')],
  ]
  describe.each(parts)('in %s', (_name, partOf) => {
    it('is invisible to everything at once, also while it is still stored', () => {
      // Nothing is swept in these two: the event loop does not turn.
      const db = openScratch()
      const part = partOf(db)
      const live: number[] = []
      for (let i = 0; i < 2_000; i++) {
        if (i % 3 === 0) {
          part.putSync(i, i, { expiresAt: past() })
        } else {
          part.putSync(i, i, i % 3 === 1 ? { ttl: hour } : {})
          live.push(i)
        }
      }
      const check = (view: ReadView): void => {
        for (const key of [0, 3, 999, 1_998]) {
          expect([view.get(key), view.getBinary(key), view.getEntry(key), view.has(key)]).toEqual([undefined, undefined, undefined, false]) // prettier-ignore
        }
        expect(view.getMany([0, 1, 2, 3])).toEqual([undefined, 1, 2, undefined])
        expect(view.keys().toArray()).toEqual(live)
        expect(view.values({ reverse: true }).toArray()).toEqual([...live].reverse())
        expect(view.range({ offset: 700, limit: 2 }).map(({ key }) => key).toArray()).toEqual(live.slice(700, 702)) // prettier-ignore
        expect(view.keys({ offset: 700, limit: 2, reverse: true }).toArray()).toEqual([...live].reverse().slice(700, 702)) // prettier-ignore
        expect(view.keys({ gte: 3, lte: 9 }).toArray()).toEqual([4, 5, 7, 8])
        expect(view.count()).toBe(live.length)
        expect(view.count({ gte: 3, lte: 9 })).toBe(4)
        expect(view.count({ gte: 3, lte: 3 })).toBe(0)
        expect(view.count({ offset: 1_330, limit: 100 })).toBe(live.length - 1_330)
      }
      check(part)
      if (part === db) expect(stored(db)).toBe(2_000)
      using snapshot = db.snapshot()
      check(part === db ? snapshot : snapshot.namespace(db.namespace('ns')))
      db.transactionSync((tx) => {
        const within = part === db ? tx : tx.in(db.namespace('ns'))
        expect([within.get(0), within.has(3), within.count()]).toEqual([undefined, false, live.length])
        expect(within.keys({ limit: 3 }).toArray()).toEqual([1, 2, 4])
      })
    })

    it('counts as absent for whoever writes', () => {
      const db = openScratch()
      const part = partOf(db)
      const expired = (key: string): number => {
        part.putSync(key, 'live')
        const { version } = part.getEntry(key)!
        part.putSync(key, 41, { expiresAt: past() })
        return version
      }
      const version = expired('a')
      expect(part.putSync('a', 1, { ifVersion: version })).toBe(false)
      expect(part.removeSync('a')).toBe(false)
      expect(part.removeSync('a', { ifVersion: version })).toBe(false)
      expect(part.batchSync([{ type: 'put', key: 'a', value: 2, ifNoExists: true }])).toBe(true)
      expired('b')
      expect(part.putSync('b', 3, { ifNoExists: true })).toBe(true)
      expired('c')
      expect(part.incrementSync('c')).toBe(1)
      expired('d')
      db.transactionSync((tx) => {
        const within = part === db ? tx : tx.in(db.namespace('ns'))
        expect(within.remove('d')).toBe(false)
        expect(within.increment('d', 5)).toBe(5)
      })
      expect(part.range().map(({ value }) => value).toArray()).toEqual([2, 3, 1, 5]) // prettier-ignore
      expect(part.keys().map((key) => part.getEntry(key)?.expiresAt).toArray()).toEqual([undefined, undefined, undefined, undefined]) // prettier-ignore
      expired('e')
      expect(part.clearSync()).toBe(4)
      expect(part.count()).toBe(0)
    })
  })

  it('disappears by itself, in the moment that was said', async () => {
    const db = openScratch()
    const begin = Date.now()
    db.putSync('a', 1, { ttl: 150 })
    expect(db.getEntry('a')).toMatchObject({ value: 1, expiresAt: expect.any(Number) as number })
    const { expiresAt } = db.getEntry('a')!
    expect(expiresAt).toBeGreaterThanOrEqual(begin + 150)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 151)
    while (db.has('a')) await sleep(1)
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt!)
    expect(Date.now()).toBeLessThan(expiresAt! + 1_000)
  })

  it('is swept away in the background, with others in slices, and what has no time stays', async () => {
    const db = openScratch({ capacity: '16MiB' })
    const ns = db.namespace('ns')
    for (let i = 0; i < 3_000; i++) {
      void db.put(i, 'x'.repeat(50), i % 10 === 0 ? {} : { ttl: 400 })
      void ns.put(i, 'x'.repeat(50), i % 10 === 0 ? { ttl: hour } : { ttl: 400 })
    }
    await db.flush()
    const { leaves } = db.stats().index
    expect(stored(db)).toBeGreaterThan(300) // on a slow machine some have expired by now
    await expect.poll(() => stored(db), { timeout: 10_000, interval: 10 }).toBe(300)
    await expect.poll(() => db.stats().index.leaves, { timeout: 10_000, interval: 10 }).toBeLessThan(leaves / 2)
    expect(db.count()).toBe(300)
    expect(ns.count()).toBe(300)
    expect(ns.keys({ limit: 3 }).toArray()).toEqual([0, 10, 20])
  })

  it('is swept away after a reopening, without any write', async () => {
    const db = openScratch()
    for (let i = 0; i < 500; i++) db.putSync(i, i, { ttl: 20 })
    db.putSync('kept', 1)
    db.close()
    await sleep(40)
    const reader = open(db.path, { readOnly: true })
    expect(reader.keys().toArray()).toEqual(['kept'])
    expect(stored(reader)).toBe(501)
    reader.close()
    const again = open(db.path)
    expect(again.keys().toArray()).toEqual(['kept'])
    await expect.poll(() => stored(again), { timeout: 5_000, interval: 10 }).toBe(1)
    again.close()
  })

  it('never takes a later entry of its key with it', async () => {
    const db = openScratch()
    const cases: [string, PutOptions | undefined][] = [
      ['for ever', undefined],
      ['for ever, said', { ttl: Infinity }],
      ['longer', { ttl: hour }],
      ['absolute', { expiresAt: new Date(Date.now() + hour) }],
    ]
    const soon = Date.now() + 30
    for (const [key, options] of cases) {
      db.putSync(key, 'first', { expiresAt: soon })
      db.putSync(key, 'second', { expiresAt: soon })
      if (options) db.putSync(key, 'third', options)
      else db.putSync(key, 'third')
    }
    db.putSync('shorter', 'first', { ttl: hour })
    db.putSync('shorter', 'third', { expiresAt: soon })
    db.putSync('removed', 'first', { expiresAt: soon })
    db.removeSync('removed')
    db.putSync('removed', 'third')
    await expect.poll(() => stored(db), { timeout: 5_000, interval: 10 }).toBe(5)
    await sleep(100)
    expect(db.keys().toArray()).toEqual(['absolute', 'for ever', 'for ever, said', 'longer', 'removed'])
    expect(db.values().every((value) => value === 'third')).toBe(true)
    expect(db.getEntry('longer')!.expiresAt).toBeGreaterThan(soon)
    expect(db.getEntry('for ever')!.expiresAt).toBeUndefined()
  })
})

describe('a time', () => {
  it('can be given with every kind of write, and a namespace can have a default', async () => {
    const db = openScratch()
    const ns = db.namespace('ns', { ttl: hour })
    const at = Date.now() + 2 * hour
    const operations: BatchOperation[] = [
      { type: 'put', key: 'batch', value: 1, expiresAt: at },
      { type: 'put', key: 'default', value: 1 },
      { type: 'put', key: 'never', value: 1, ttl: Infinity },
    ]
    for (const part of [db, ns]) {
      part.putSync('sync', 1, { expiresAt: at })
      await part.put('async', 1, { expiresAt: new Date(at) })
      part.batchSync(operations)
      part.putSync('plain', 1)
      part.incrementSync('counter')
      part.incrementSync('timed', 1, { expiresAt: at })
      part.incrementSync('timed')
      await part.increment('timed', 1, { ttl: 1 })
    }
    db.transactionSync((tx) => {
      tx.put('tx', 1, { expiresAt: at })
      tx.in(ns).put('tx', 1, { expiresAt: at })
      tx.in(ns).put('tx default', 1)
    })
    const times = (part: Table): unknown =>
      Object.fromEntries(
        part.keys().map((key) => {
          const { expiresAt } = part.getEntry(key)!
          return [key, expiresAt === undefined ? 'never' : expiresAt === at ? 'said' : 'default']
        }),
      )
    const said = { async: 'said', batch: 'said', never: 'never', sync: 'said', timed: 'said', tx: 'said' }
    expect(times(db)).toEqual({ ...said, counter: 'never', default: 'never', plain: 'never' })
    expect(times(ns)).toEqual({ ...said, counter: 'default', default: 'default', plain: 'default', 'tx default': 'default' }) // prettier-ignore
    db.close()
    const again = open(db.path)
    expect(times(again)).toEqual(times(again))
    expect(again.namespace('ns').getEntry('plain')!.expiresAt).toBeGreaterThan(Date.now())
    again.namespace('ns').putSync('plain', 2)
    expect(again.namespace('ns').getEntry('plain')!.expiresAt).toBeGreaterThan(Date.now())
    again.close()
  })

  it('must be one', async () => {
    const db = openScratch()
    const wrong: [unknown, typeof TypeError | typeof RangeError][] = [
      [{ ttl: 0 }, RangeError],
      [{ ttl: -1 }, RangeError],
      [{ ttl: NaN }, RangeError],
      [{ ttl: '1' }, TypeError],
      [{ ttl: 2 ** 53 }, RangeError],
      [{ expiresAt: '2030' }, TypeError],
      [{ expiresAt: NaN }, RangeError],
      [{ expiresAt: Infinity }, RangeError],
      [{ expiresAt: -1 }, RangeError],
      [{ expiresAt: new Date(NaN) }, RangeError],
      [{ ttl: 1, expiresAt: 1 }, TypeError],
      [{ TTL: 1 }, TypeError],
    ]
    for (const [options, kind] of wrong) {
      expect(errorOf(() => { db.putSync('a', 1, options as PutOptions) }), JSON.stringify(options)).toBeInstanceOf(kind) // prettier-ignore
      expect(await rejectionOf(() => db.put('a', 1, options as PutOptions))).toBeInstanceOf(kind)
    }
    expect(db.count()).toBe(0)
    db.putSync('a', 1, { ttl: 0.5 })
    db.putSync('b', 1, { expiresAt: 0 })
    expect(db.has('b')).toBe(false)
    db.putSync('c', 1, { expiresAt: Number.MAX_SAFE_INTEGER })
    expect(db.getEntry('c')!.expiresAt).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('needs nine bytes of the longest key', () => {
    const db = openScratch({ keys: 'utf8' })
    db.putSync('k'.repeat(1_975), 1, { ttl: hour })
    db.putSync('k'.repeat(1_984), 1)
    expectRefusal(errorOf(() => { db.putSync('k'.repeat(1_976), 1, { ttl: hour }) }), 'ERR_SEALOG_KEY_TOO_LARGE') // prettier-ignore
    expect(db.count()).toBe(2)
  })

  it('is refused by a store of a format that has none; all else works there', () => {
    const path = join(scratchDirectory(), 'old.sealog')
    const image = fileURLToPath(new URL('../fixtures/v1/clean.sealog.gz', import.meta.url))
    writeFileSync(path, gunzipSync(readFileSync(image)))
    let db = open(path)
    const before = db.count()
    const calls = [
      () => { db.putSync('a', 1, { ttl: 1 }) },
      () => db.putSync('a', 1, { expiresAt: hour, ifNoExists: true }),
      () => db.batchSync([{ type: 'put', key: 'b', value: 1 }, { type: 'put', key: 'a', value: 1, ttl: 1 }]),
      () => db.incrementSync('n', 1, { ttl: 1 }),
      () => { db.transactionSync((tx) => { tx.put('a', 1, { ttl: 1 }) }) },
      () => db.namespace('ttl', { ttl: 1 }),
    ] // prettier-ignore
    for (const call of calls) expectRefusal(errorOf(call), 'ERR_SEALOG_UNSUPPORTED')
    expect(db.count()).toBe(before)
    expect(db.namespaces()).toEqual([])
    db.putSync('added', 1, { ttl: Infinity })
    db.incrementSync('counter')
    const ns = db.namespace('ns')
    ns.putSync('x', 1)
    db.transactionSync((tx) => tx.in(ns).increment('x'))
    db.close()
    db = open(path)
    expect(db.count()).toBe(before + 2)
    expect(db.namespace('ns').get('x')).toBe(2)
    db.close()
  })
})

describe('the clock', () => {
  it('that jumps ahead while the store is open removes nothing for good', async () => {
    const db = openScratch()
    const real = Date.now.bind(Date)
    for (let i = 0; i < 100; i++) db.putSync(i, i, { ttl: hour })
    db.putSync('short', 1, { ttl: 100 })
    vi.spyOn(Date, 'now').mockImplementation(() => real() + 24 * hour)
    // It looks, since something expires soon, and finds by the other clock that it is not time yet.
    await expect.poll(() => stored(db), { timeout: 5_000, interval: 10 }).toBe(100)
    await sleep(120)
    expect(stored(db)).toBe(100)
    vi.restoreAllMocks()
    expect(db.count()).toBe(100)
  })

  it('that jumps back keeps what has expired stored, and it stays invisible when the clock is right again', async () => {
    const db = openScratch()
    const real = Date.now.bind(Date)
    db.putSync('a', 1, { ttl: 20 })
    vi.spyOn(Date, 'now').mockImplementation(() => real() - hour)
    db.putSync('b', 1, { expiresAt: real() + 20 })
    await sleep(150)
    expect(stored(db)).toBe(2)
    vi.restoreAllMocks()
    expect(db.count()).toBe(0)
  })
})

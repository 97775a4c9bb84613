// A store that was closed refuses everything but being closed; one that is open read-only refuses to write.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { open, type Store } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

const reads: Record<string, (db: Store) => unknown> = {
  get: (db) => db.get('a'),
  'get of another type': (db) => db.get(['a', 1]),
  getBinary: (db) => db.getBinary('a'),
  getEntry: (db) => db.getEntry('a'),
  getMany: (db) => db.getMany(['a', 'b']),
  'getMany of nothing': (db) => db.getMany([]),
  has: (db) => db.has('a'),
  range: (db) => db.range(),
  keys: (db) => db.keys({ limit: 0 }),
  values: (db) => db.values(),
  count: (db) => db.count(),
  iterator: (db) => db[Symbol.iterator](),
  stats: (db) => db.stats(),
}
const syncWrites: Record<string, (db: Store) => unknown> = {
  putSync: (db) => {
    db.putSync('a', 2)
  },
  removeSync: (db) => db.removeSync('a'),
  batchSync: (db) => {
    db.batchSync([{ type: 'put', key: 'a', value: 2 }])
  },
}
const asyncWrites: Record<string, (db: Store) => Promise<unknown>> = {
  put: (db) => db.put('a', 2),
  remove: (db) => db.remove('a'),
  batch: (db) => db.batch([{ type: 'put', key: 'a', value: 2 }]),
  flush: (db) => db.flush(),
}

function closedStore(): Store {
  const db = openScratch()
  db.putSync('a', 1)
  db.close()
  return db
}

describe('a closed store', () => {
  it.each(Object.entries({ ...reads, ...syncWrites }))('throws at %s', (_, call) => {
    const db = closedStore()
    expect(
      expectRefusal(
        errorOf(() => call(db)),
        'ERR_SEALOG_CLOSED',
      ).path,
    ).toBe(db.path)
  })

  it.each(Object.entries(asyncWrites))('rejects %s', async (_, call) => {
    const db = closedStore()
    expectRefusal(await rejectionOf(() => call(db)), 'ERR_SEALOG_CLOSED')
  })

  it('refuses an empty batch, too', () => {
    const db = closedStore()
    expectRefusal(
      errorOf(() => {
        db.batchSync([])
      }),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('ends its iterators, wherever they are', () => {
    const db = openScratch({ capacity: '8MiB' })
    for (let i = 0; i < 2000; i++) db.putSync(i, { i })
    const fresh = db.range()
    const begun = db.range()
    begun.next()
    db.close()
    expectRefusal(
      errorOf(() => fresh.next()),
      'ERR_SEALOG_CLOSED',
    )
    expectRefusal(
      errorOf(() => begun.next()),
      'ERR_SEALOG_CLOSED',
    )
    expect(begun.next()).toEqual({ done: true, value: undefined })
  })

  it('can be closed again, and still says what it was', async () => {
    const db = closedStore()
    db.close()
    db[Symbol.dispose]()
    await db[Symbol.asyncDispose]()
    expect(db.closed).toBe(true)
    expect(db.path).toMatch(/\.sealog$/)
    expect(db.recovery.outcome).toBe('created')
    expect(db.seal.populated).toBe(false)
    expect(db.info.readOnly).toBe(false)
    expect(db.persistence).toBe(db.info.domain)
  })
})

describe('a store that is open read-only', () => {
  it.each(Object.entries({ ...syncWrites, ...asyncWrites }))('refuses %s, and stays as it is', async (_, call) => {
    const { path } = closedStore()
    const before = readFileSync(path)
    const db = open(path, { readOnly: true })
    const error = await rejectionOf(async () => {
      await call(db)
    })
    expectRefusal(error, 'ERR_SEALOG_READONLY')
    expect([...db.range()]).toEqual([{ key: 'a', value: 1 }])
    db.close()
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it.each(Object.entries(reads))('allows %s', (_, call) => {
    const { path } = closedStore()
    const db = open(path, { readOnly: true })
    call(db)
    db.close()
  })

  it('rejects with a promise, never throws', () => {
    const { path } = closedStore()
    const db = open(path, { readOnly: true })
    for (const call of Object.values(asyncWrites)) {
      const promise = call(db)
      expect(promise).toBeInstanceOf(Promise)
      promise.catch(() => undefined)
    }
    db.close()
  })
})

// Transactions: what they see, what of them is left when they fail, whom they meet, and what nobody may do meanwhile.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type Key, open, type RangeOptions, type Store, type Transaction } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

class Mistake extends Error {}

const fail = (): never => {
  throw new Mistake('on purpose')
}

function all(db: Store): Record<string, unknown> {
  return Object.fromEntries(db.range().map(({ key, value }) => [String(key), value]))
}

/** Nothing is held any more. */
function expectNothingHeld(db: Store): void {
  expect(db.stats().pins.snapshots).toBe(0)
}

/** A transaction that has made its reads, and waits for `go` before it writes the key `out`. */
function reading(
  db: Store,
  read: (tx: Transaction) => unknown,
  retries = 0,
): { begun: Promise<void>; go: () => void; done: Promise<number> } {
  let begin!: () => void
  let go!: () => void
  const begun = new Promise<void>((resolve) => (begin = resolve))
  const gate = new Promise<void>((resolve) => (go = resolve))
  let runs = 0
  const done = db.transaction(
    async (tx) => {
      runs++
      const value = read(tx)
      begin()
      await gate
      tx.put('out', value ?? null)
      return runs
    },
    { retries },
  )
  return { begun, go, done }
}

describe('a synchronous transaction', () => {
  it('does not see an entry of its own whose time has passed', () => {
    const db = openScratch()
    db.putSync('a', 1)
    db.transactionSync((tx) => {
      tx.put('a', 2, { expiresAt: 1 })
      expect(tx.get('a')).toBeUndefined()
      expect(tx.has('a')).toBe(false)
      expect([...tx.keys()]).toEqual([])
      expect(tx.count()).toBe(0)
    })
    expect(db.has('a')).toBe(false)
  })

  it('is there as a whole and durable when it returns, with what its callback returned', () => {
    const db = openScratch()
    db.putSync('gone', 1)
    const answer = db.transactionSync((tx) => {
      tx.put('a', 1)
      tx.put('b', { b: 2 })
      expect(tx.remove('gone')).toBe(true)
      expect(tx.remove('never')).toBe(false)
      expect(db.has('a')).toBe(false)
      return 'answer'
    })
    expect(answer).toBe('answer')
    expect(all(db)).toEqual({ a: 1, b: { b: 2 } })
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
    db.close()
    const again = open(db.path)
    expect(all(again)).toEqual({ a: 1, b: { b: 2 } })
    again.close()
  })

  it('leaves nothing when its callback throws', () => {
    const db = openScratch()
    const ns = db.namespace('ns')
    db.putSync('a', 'before')
    const { lsn } = db.stats()
    const error = errorOf(() => {
      db.transactionSync((tx) => {
        tx.put('a', 'after')
        tx.in(ns).put('b', 1)
        tx.remove('a')
        fail()
      })
    })
    expect(error).toBeInstanceOf(Mistake)
    expect(all(db)).toEqual({ a: 'before' })
    expect(ns.count()).toBe(0)
    expect(db.stats().lsn).toBe(lsn)
    // And the store is not in a transaction any more.
    db.putSync('a', 2)
  })

  it('refuses a callback that returns a promise, with everything rolled back', () => {
    const db = openScratch()
    const call = (): unknown =>
      // eslint-disable-next-line @typescript-eslint/require-await
      db.transactionSync(async (tx) => {
        tx.put('a', 1)
      })
    expect(errorOf(call)).toBeInstanceOf(TypeError)
    expect(db.count()).toBe(0)
    db.transactionSync((tx) => {
      const nested = (): unknown =>
        // eslint-disable-next-line @typescript-eslint/require-await
        tx.transactionSync(async (inner) => {
          inner.put('b', 1)
        })
      expect(errorOf(nested)).toBeInstanceOf(TypeError)
      tx.put('c', 1)
    })
    expect(all(db)).toEqual({ c: 1 })
  })

  it('spans namespaces, each with its own keys and values', () => {
    const db = openScratch()
    const json = db.namespace<{ n: number }, string>('json', { keys: 'utf8', encoding: 'json' })
    const bytes = db.namespace<Buffer, Buffer>('bytes', { keys: 'binary', encoding: 'binary' })
    db.transactionSync((tx) => {
      tx.put('k', 'default')
      tx.in(json).put('k', { n: 1 })
      tx.in(bytes).put(Buffer.from('k'), Buffer.from('value'))
      expect(tx.in(json).get('k')).toEqual({ n: 1 })
      expect(tx.in(bytes).get(Buffer.from('k'))).toEqual(Buffer.from('value'))
      expect(tx.in(bytes).keys().toArray()).toEqual([Buffer.from('k')])
      expect(tx.count()).toBe(1)
    })
    expect([db.get('k'), json.get('k'), bytes.get(Buffer.from('k'))]).toEqual([
      'default',
      { n: 1 },
      Buffer.from('value'),
    ])
    const stranger = openScratch().namespace('json')
    expect(errorOf(() => db.transactionSync((tx) => tx.in(stranger)))).toBeInstanceOf(TypeError)
  })

  it('gives values that are copies, of what is stored and of its own', () => {
    const db = openScratch<Buffer>({ encoding: 'binary' })
    db.putSync('stored', Buffer.from('stored'))
    db.transactionSync((tx) => {
      const mine = Buffer.from('mine')
      tx.put('mine', mine)
      mine.fill('x')
      const read = ['stored', 'mine'].flatMap((key) => [tx.get(key), tx.getBinary(key)])
      for (const value of tx.values()) value.fill('y')
      tx.get('mine')!.fill('z')
      for (let i = 0; i < 100; i++) db.get('stored')
      expect(read.map(String)).toEqual(['stored', 'stored', 'mine', 'mine'])
      expect(String(tx.get('mine'))).toBe('mine')
    })
    expect(db.values().toArray().map(String)).toEqual(['mine', 'stored'])
  })

  it('needs one fence for 10,000 puts', () => {
    const db = openScratch<number>({ capacity: '64MiB', segmentBytes: '2MiB' })
    db.putSync('first', 0)
    const own = (): number => db.stats().persist.fences - db.stats().persist.checkpointFences
    const before = own()
    db.transactionSync((tx) => {
      for (let i = 0; i < 10_000; i++) tx.put(i, i)
    })
    expect(own() - before).toBe(1)
    expect(db.count()).toBe(10_001)
  })

  it('is written as a whole or refused as a whole when the store gets full', () => {
    const db = openScratch<string>({ capacity: '1MiB', segmentBytes: '64KiB' })
    db.putSync('a', 'before')
    const error = errorOf(() => {
      db.transactionSync((tx) => {
        tx.put('a', 'after')
        for (let i = 0; i < 1_000; i++) tx.put(i, 'x'.repeat(2_000))
      })
    })
    expectRefusal(error, 'ERR_SEALOG_FULL')
    expect(all(db)).toEqual({ a: 'before' })
    db.transactionSync((tx) => {
      tx.put('a', 'later')
    })
    expect(all(db)).toEqual({ a: 'later' })
  })

  it('is refused in a read-only store only when it writes', () => {
    const db = openScratch()
    db.putSync('a', 1)
    db.close()
    const reader = open(db.path, { readOnly: true })
    expect(reader.transactionSync((tx) => tx.get('a'))).toBe(1)
    const write = (tx: Transaction): void => {
      tx.put('a', 2)
    }
    expectRefusal(errorOf(() => { reader.transactionSync(write) }), 'ERR_SEALOG_READONLY') // prettier-ignore
    expect(reader.get('a')).toBe(1)
    reader.close()
  })

  it('refuses what is no key, no value, no option where it is given', () => {
    const db = openScratch({ encoding: 'string' })
    db.transactionSync((tx) => {
      expect(errorOf(() => { tx.put(undefined as unknown as Key, 'v') })).toBeInstanceOf(TypeError) // prettier-ignore
      expect(errorOf(() => { tx.put('k', 1) })).toBeInstanceOf(TypeError) // prettier-ignore
      expect(errorOf(() => { tx.put('k', 'v', { ifNoExists: true } as object) })).toBeInstanceOf(TypeError) // prettier-ignore
      expect(errorOf(() => tx.range({ unknown: 1 } as object))).toBeInstanceOf(TypeError)
      expectRefusal(errorOf(() => { tx.put('k'.repeat(3_000), 'v') }), 'ERR_SEALOG_KEY_TOO_LARGE') // prettier-ignore
    })
    expect(db.count()).toBe(0)
  })
})

describe('a transaction nested in another', () => {
  it('takes back its own changes and no others when it throws', () => {
    const db = openScratch()
    db.putSync('stored', 0)
    db.transactionSync((tx) => {
      tx.put('a', 1)
      tx.put('b', 1)
      const failing = (): unknown =>
        tx.transactionSync((inner) => {
          inner.put('a', 2)
          inner.put('a', 3)
          inner.remove('b')
          inner.remove('stored')
          inner.put('c', 1)
          inner.transactionSync((third) => {
            third.put('d', 1)
          })
          expect([...inner.keys()]).toEqual(['a', 'c', 'd'])
          return fail()
        })
      expect(errorOf(failing)).toBeInstanceOf(Mistake)
      expect(tx.range().toArray()).toEqual([
        { key: 'a', value: 1 },
        { key: 'b', value: 1 },
        { key: 'stored', value: 0 },
      ])
      tx.transactionSync((inner) => {
        inner.put('e', 1)
        expect(errorOf(() => inner.transactionSync((third) => (third.put('f', 1), fail())))).toBeInstanceOf(Mistake)
        inner.put('g', 1)
      })
    })
    expect(all(db)).toEqual({ a: 1, b: 1, stored: 0, e: 1, g: 1 })
  })

  it('takes back what it did in a namespace that it came to first', () => {
    const db = openScratch()
    const [one, two] = [db.namespace('one'), db.namespace('two')]
    one.putSync('kept', 1)
    db.transactionSync((tx) => {
      const failing = (): unknown =>
        tx.transactionSync((inner) => {
          inner.in(one).put('a', 1)
          inner.in(one).remove('kept')
          inner.transactionSync((third) => {
            third.in(two).put('b', 1)
          })
          return fail()
        })
      expect(errorOf(failing)).toBeInstanceOf(Mistake)
      expect(tx.in(one).keys().toArray()).toEqual(['kept'])
      tx.in(two).put('c', 1)
      expect(errorOf(failing)).toBeInstanceOf(Mistake)
    })
    expect(one.keys().toArray()).toEqual(['kept'])
    expect(two.keys().toArray()).toEqual(['c'])
  })

  it('may be asynchronous in an asynchronous one, in a namespace that was not touched before', async () => {
    const db = openScratch()
    const ns = db.namespace('ns')
    await db.transaction(async (tx) => {
      tx.put('a', 1)
      const failing = tx.transaction(async (inner) => {
        await sleep(1)
        inner.in(ns).put('x', 1)
        inner.put('a', 2)
        await sleep(1)
        fail()
      })
      expect(await rejectionOf(() => failing)).toBeInstanceOf(Mistake)
      expect([tx.get('a'), tx.in(ns).get('x')]).toEqual([1, undefined])
      await tx.transaction(async (inner) => {
        await sleep(1)
        inner.in(ns).put('y', 1)
      })
    })
    expect(all(db)).toEqual({ a: 1 })
    expect(ns.keys().toArray()).toEqual(['y'])
    expectNothingHeld(db)
  })

  it('keeps the outer one from being used while it runs, and cannot be used itself afterwards', async () => {
    const db = openScratch()
    const ended: Transaction[] = []
    db.transactionSync((tx) => {
      tx.transactionSync((inner) => {
        ended.push(inner)
        for (const call of [
          () => tx.get('a'),
          () => {
            tx.put('a', 1)
          },
          () => tx.keys(),
          () => tx.transactionSync(fail),
        ])
          // prettier-ignore
          expectRefusal(errorOf(call), 'ERR_SEALOG_TRANSACTION')
        inner.put('b', 1)
      })
      expectRefusal(
        errorOf(() => ended[0]!.get('b')),
        'ERR_SEALOG_TRANSACTION',
      )
      tx.put('c', 1)
    })
    await db.transaction(async (tx) => {
      const nested = tx.transaction(async (inner) => {
        await sleep(2)
        inner.put('d', 1)
      })
      expectRefusal(
        errorOf(() => tx.get('a')),
        'ERR_SEALOG_TRANSACTION',
      )
      await nested
      tx.put('e', tx.get('d'))
    })
    expect(all(db)).toEqual({ b: 1, c: 1, d: 1, e: 1 })
  })

  it('that nobody waited for is refused, and nothing is written in halves', async () => {
    const db = openScratch()
    let late: Promise<unknown> = Promise.resolve()
    const error = await rejectionOf(() =>
      // eslint-disable-next-line @typescript-eslint/require-await
      db.transaction(async (tx) => {
        late = tx.transaction(async (inner) => {
          inner.put('a', 1)
          await sleep(5)
          inner.put('b', 1)
        })
        late.catch(() => undefined)
      }),
    )
    expectRefusal(error, 'ERR_SEALOG_TRANSACTION')
    expectRefusal(await rejectionOf(() => late), 'ERR_SEALOG_TRANSACTION')
    expect(db.count()).toBe(0)
    expectNothingHeld(db)
  })
})

describe.each(['sync', 'async'] as const)('reads within a transaction (%s)', (kind) => {
  const run = async (db: Store, callback: (tx: Transaction) => void): Promise<void> => {
    if (kind === 'sync') db.transactionSync(callback)
    else await db.transaction(callback)
    expectNothingHeld(db)
  }

  it('see its own writes', async () => {
    const db = openScratch()
    for (const key of ['a', 'b', 'c']) db.putSync(key, 'stored')
    await run(db, (tx) => {
      tx.put('b', 'mine')
      tx.remove('c')
      tx.put('d', 'mine')
      expect(tx.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual(['stored', 'mine', undefined, 'mine', undefined])
      expect(['a', 'b', 'c', 'd', 'e'].map((key) => tx.has(key))).toEqual([true, true, false, true, false])
      expect(tx.getBinary('c')).toBeUndefined()
      expect(tx.remove('c')).toBe(false)
      tx.put('c', 'again')
      expect(tx.get('c')).toBe('again')
      expect(tx.count()).toBe(4)
    })
    expect(all(db)).toEqual({ a: 'stored', b: 'mine', c: 'again', d: 'mine' })
  })

  it('give in ranges what a sorted map gives: both directions, bounds, limit, offset', async () => {
    const db = openScratch<number>()
    const model = new Map<number, number>()
    for (let key = 0; key < 1_500; key += 2) {
      db.putSync(key, key)
      model.set(key, key)
    }
    await run(db as Store, (tx) => {
      for (let key = 0; key < 1_500; key += 3) {
        tx.put(key, -key)
        model.set(key, -key)
      }
      for (let key = 0; key < 1_500; key += 7) expect(tx.remove(key)).toBe(model.delete(key))
      const sorted = [...model].sort(([a], [b]) => a - b).map(([key, value]) => ({ key, value }))
      const bounds: RangeOptions<number>[] = [
        {},
        { gte: 100, lt: 200 },
        { gt: 99, lte: 201 },
        { gte: 1_490 },
        { lte: 8 },
        { gt: 600, lt: 601 },
        { gte: 700, lte: 600 },
      ]
      for (const bound of bounds) {
        const within = sorted.filter(
          ({ key }) =>
            key >= (bound.gte ?? 0) &&
            key > (bound.gt ?? -1) &&
            key <= (bound.lte ?? Infinity) &&
            key < (bound.lt ?? Infinity),
        )
        for (const reverse of [false, true]) {
          const ordered = reverse ? [...within].reverse() : within
          for (const [offset, limit] of [
            [0, Infinity],
            [3, 5],
            [0, 1],
            [1, 0],
            [2_000, 1],
            [5, Infinity],
          ] as const) {
            // prettier-ignore
            const options = { ...bound, reverse, offset, limit }
            const expected = ordered.slice(offset, offset + limit)
            expect(tx.range(options).toArray()).toEqual(expected)
            expect(tx.keys(options).toArray()).toEqual(expected.map(({ key }) => key))
            expect(tx.values(options).toArray()).toEqual(expected.map(({ value }) => value))
            expect(tx.count(options)).toBe(expected.length)
          }
        }
      }
    })
    expect(db.range().toArray()).toEqual([...model].sort(([a], [b]) => a - b).map(([key, value]) => ({ key, value })))
  })

  it('keep a range as it was begun, whatever the transaction writes meanwhile', async () => {
    const db = openScratch()
    for (let i = 0; i < 10; i++) db.putSync(i, 'stored')
    await run(db, (tx) => {
      tx.put(3, 'mine')
      const seen: unknown[] = []
      for (const { key, value } of tx.range()) {
        seen.push(value)
        tx.put(3, 'later')
        tx.remove((key as number) + 1)
        tx.put((key as number) + 100, 'new')
      }
      expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => (i === 3 ? 'mine' : 'stored')))
    })
  })

  it('refuse everything once it has ended', async () => {
    const db = openScratch()
    const ns = db.namespace('ns')
    let ended: Transaction | undefined
    await run(db, (tx) => {
      tx.put('a', 1)
      ended = tx
    })
    const tx = ended!
    const calls = [
      () => tx.get('a'),
      () => tx.has('a'),
      () => tx.getBinary('a'),
      () => tx.getMany(['a']),
      () => tx.range(),
      () => tx.keys(),
      () => tx.values(),
      () => tx.count(),
      () => { tx.put('a', 2) }, // prettier-ignore
      () => tx.remove('a'),
      () => tx.increment('n'),
      () => tx.in(ns).get('a'),
      () => tx.transactionSync(fail),
    ]
    for (const call of calls) expectRefusal(errorOf(call), 'ERR_SEALOG_TRANSACTION')
    expectRefusal(await rejectionOf(() => tx.transaction(fail)), 'ERR_SEALOG_TRANSACTION')
    expect(db.get('a')).toBe(1)
  })

  it('count what it increments, and keep the time of a counter that has one', async () => {
    const db = openScratch()
    const expiresAt = Date.now() + 3_600_000
    db.putSync('timed', 5, { expiresAt })
    db.putSync('plain', 5)
    // What was read last must not rub off: neither a time nor none.
    for (const [read, counter] of [
      ['plain', 'timed'],
      ['timed', 'plain'],
    ] as const) {
      // prettier-ignore
      await run(db, (tx) => {
        db.getEntry(read)
        expect(tx.increment(counter)).toBe(6)
        expect(tx.increment(counter, 4)).toBe(10)
      })
    }
    await run(db, (tx) => {
      expect(tx.increment('new', 2n)).toBe(2n)
      expect(tx.increment('live', 1, { expiresAt })).toBe(1)
      expect(tx.increment('live')).toBe(2)
    })
    const time = (key: string): unknown => db.getEntry(key)?.expiresAt
    expect(['timed', 'plain', 'new', 'live'].map(time)).toEqual([expiresAt, undefined, undefined, expiresAt])
    expect(all(db)).toEqual({ timed: 10, plain: 10, new: 2n, live: 2 })
  })

  it('release what a range held that was left', async () => {
    const db = openScratch<string>({ capacity: '8MiB' })
    for (let i = 0; i < 3_000; i++) void db.put(i, 'x'.repeat(100))
    await db.flush()
    await run(db as Store, (tx) => {
      tx.put(-1, 'mine')
      for (const key of tx.keys()) if (key === 2) break
      expect(tx.keys({ reverse: true, limit: 3, offset: 1 }).toArray()).toEqual([2_998, 2_997, 2_996])
      expect(tx.values().some(() => true)).toBe(true)
      expect(errorOf(() => { tx.range().forEach(fail) })).toBeInstanceOf(Mistake) // prettier-ignore
      if (kind === 'sync') expectNothingHeld(db as Store)
    })
  })
})

describe('writing past a transaction that runs', () => {
  const writes: [string, (db: Store) => unknown][] = [
    ['putSync', (db) => { db.putSync('z', 1) }], // prettier-ignore
    ['putSync with a condition', (db) => db.putSync('z', 1, { ifNoExists: true })],
    ['put', (db) => db.put('z', 1)],
    ['removeSync', (db) => db.removeSync('a')],
    ['remove', (db) => db.remove('a')],
    ['batchSync', (db) => db.batchSync([{ type: 'put', key: 'z', value: 1 }])],
    ['batch', (db) => db.batch([{ type: 'del', key: 'a' }])],
    ['incrementSync', (db) => db.incrementSync('n')],
    ['increment', (db) => db.increment('n')],
    ['clearSync', (db) => db.clearSync()],
    ['clear', (db) => db.clear()],
    ['transactionSync', (db) => { db.transactionSync((tx) => { tx.put('z', 1) }) }], // prettier-ignore
    ['transaction', (db) => db.transaction((tx) => { tx.put('z', 1) })], // prettier-ignore
    ['namespace of a new name', (db) => db.namespace('new')],
    ['namespace.putSync', (db) => { db.namespace('ns').putSync('z', 1) }], // prettier-ignore
    ['namespace.clearSync', (db) => db.namespace('ns').clearSync()],
    ['namespace.clear', (db) => db.namespace('ns').clear()],
    ['namespace.drop', (db) => { db.namespace('ns').drop() }], // prettier-ignore
  ]
  const prepared = (): Store => {
    const db = openScratch()
    db.putSync('a', 1)
    db.namespace('ns').putSync('x', 1)
    return db
  }
  const expectUntouched = (db: Store): void => {
    expect(all(db)).toEqual({ a: 1, mine: 1 })
    expect(db.namespaces()).toEqual(['ns'])
    expect(db.namespace('ns').keys().toArray()).toEqual(['x'])
    expectNothingHeld(db)
    db.putSync('z', 1)
  }

  it.each(writes)('is refused in a synchronous one: %s', async (_name, write) => {
    const db = prepared()
    const errors: unknown[] = []
    const promises: Promise<unknown>[] = []
    db.transactionSync((tx) => {
      tx.put('mine', 1)
      try {
        promises.push(Promise.resolve(write(db)).catch((error: unknown) => errors.push(error)))
      } catch (error) {
        errors.push(error)
      }
    })
    await Promise.all(promises)
    expect(errors).toHaveLength(1)
    expectRefusal(errors[0], 'ERR_SEALOG_TRANSACTION')
    expectUntouched(db)
  })

  it.each(writes)('is refused in an asynchronous one, also behind an await: %s', async (_name, write) => {
    const db = prepared()
    await db.transaction(async (tx) => {
      tx.put('mine', 1)
      for (const turn of [() => Promise.resolve(), () => sleep(1)]) {
        // eslint-disable-next-line @typescript-eslint/require-await
        expectRefusal(await rejectionOf(async () => write(db)), 'ERR_SEALOG_TRANSACTION')
        await turn()
      }
      const [error] = await Promise.all([rejectionOf(async () => (await sleep(1), write(db)))])
      expectRefusal(error, 'ERR_SEALOG_TRANSACTION')
    })
    expectUntouched(db)
  })

  it('is not refused to others while an asynchronous one waits, nor to its own caller afterwards', async () => {
    const db = openScratch()
    let left: Promise<void> | undefined
    const running = db.transaction(async (tx) => {
      tx.put('a', 1)
      await sleep(5)
      left = sleep(10).then(() => db.put('behind', 1))
    })
    db.putSync('b', 1)
    await db.put('c', 1)
    db.transactionSync((tx) => {
      tx.put('d', 1)
    })
    await running
    await left
    expect(all(db)).toEqual({ a: 1, b: 1, c: 1, d: 1, behind: 1 })
  })
})

describe('an asynchronous transaction', () => {
  it('reads one moment, and nothing that is written meanwhile', async () => {
    const db = openScratch()
    const ns = db.namespace('ns')
    db.putSync('a', 1)
    ns.putSync('a', 1)
    const running = db.transaction(async (tx) => {
      const read = (): unknown[] => [tx.get('a'), tx.get('b'), tx.in(ns).count(), tx.keys().toArray()]
      expect(read()).toEqual([1, undefined, 1, ['a']])
      await sleep(5)
      expect(read()).toEqual([1, undefined, 1, ['a']])
    })
    db.putSync('a', 2)
    db.putSync('b', 2)
    ns.clearSync()
    await running
    expectNothingHeld(db)
  })

  const conflicts: [string, (tx: Transaction) => unknown, (db: Store) => void, boolean][] = [
    ['overwrites what it has got', (tx) => tx.get('b'), (db) => { db.putSync('b', 'b') }, true],
    ['removes what it has got', (tx) => tx.get('b'), (db) => db.removeSync('b'), true],
    ['writes what it asked for in vain', (tx) => tx.has('bb'), (db) => { db.putSync('bb', 1) }, true],
    ['writes what it asked for in vain, and removes it', (tx) => tx.get('bb'), (db) => { db.putSync('bb', 1); db.removeSync('bb') }, false],
    ['inserts into a range', (tx) => tx.keys({ gte: 'b', lte: 'd' }).toArray(), (db) => { db.putSync('bb', 1) }, true],
    ['removes from a range', (tx) => tx.values({ gte: 'b', lte: 'd' }).toArray(), (db) => db.removeSync('c'), true],
    ['overwrites in a range', (tx) => tx.range({ gte: 'b', lte: 'd' }).toArray(), (db) => { db.putSync('c', 'c') }, true],
    ['replaces one of a range by another', (tx) => tx.keys({ gte: 'b', lte: 'd' }).toArray(), (db) => { db.removeSync('c'); db.putSync('cc', 1) }, true],
    ['changes what is beside a range', (tx) => tx.keys({ gt: 'b', lt: 'd' }).toArray(), (db) => { db.putSync('b', 1); db.putSync('d', 1) }, false],
    ['inserts into a range that was counted', (tx) => tx.count({ gte: 'b', lte: 'd' }), (db) => { db.putSync('bb', 1) }, true],
    ['changes what is behind the part of a range that was read', (tx) => tx.keys().find((key) => key === 'c'), (db) => { db.putSync('d', 1); db.putSync('cc', 1) }, false],
    ['changes the part of a range that was read', (tx) => tx.keys().find((key) => key === 'c'), (db) => { db.putSync('aa', 1) }, true],
    ['changes the last that was read of a range', (tx) => tx.keys({ limit: 2 }).toArray(), (db) => { db.putSync('b', 1) }, true],
    ['changes what is behind a limit', (tx) => tx.keys({ limit: 2 }).toArray(), (db) => { db.putSync('bb', 1) }, false],
    ['changes what an offset has passed', (tx) => tx.keys({ offset: 2, limit: 1 }).toArray(), (db) => { db.removeSync('a') }, true],
    ['changes what is before the part that was read in reverse', (tx) => tx.keys({ reverse: true, limit: 2 }).toArray(), (db) => { db.putSync('b', 1); db.putSync('cc', 1); db.removeSync('a') }, true],
    ['changes what is behind a limit in reverse', (tx) => tx.keys({ reverse: true, limit: 2 }).toArray(), (db) => { db.putSync('b', 1); db.removeSync('a') }, false],
    ['changes what it has never looked at', (tx) => tx.get('a'), (db) => { db.putSync('b', 1) }, false],
    ['changes what it asked for and wrote itself first', (tx) => { tx.put('b', 1); return tx.get('b') }, (db) => { db.putSync('b', 2) }, false],
    ['removes what it wants to remove', (tx) => tx.remove('b'), (db) => db.removeSync('b'), true],
    ['increments the same counter', (tx) => tx.increment('n'), (db) => db.incrementSync('n'), true],
  ] // prettier-ignore
  it.each(conflicts)('when somebody %s', async (_name, read, change, conflict) => {
    const db = openScratch()
    const keys = ['a', 'b', 'c', 'd']
    for (const key of keys) db.putSync(key, key)
    const { begun, go, done } = reading(db, read)
    await begun
    change(db)
    go()
    if (conflict) {
      expectRefusal(await rejectionOf(() => done), 'ERR_SEALOG_CONFLICT')
      expect(db.has('out')).toBe(false)
    } else {
      expect(await done).toBe(1)
      expect(db.has('out')).toBe(true)
    }
    expectNothingHeld(db)
  })

  it('is run again after a conflict, on what is there then', async () => {
    const db = openScratch<number>()
    db.putSync('a', 1)
    const { begun, go, done } = reading(db as Store, (tx) => (tx.get('a') as number) * 10, 5)
    await begun
    db.putSync('a', 7)
    go()
    expect(await done).toBe(2)
    expect(db.get('out')).toBe(70)
  })

  it('gives up when its retries are used up', async () => {
    const db = openScratch<number>()
    let runs = 0
    const meddled = (retries?: number): Promise<unknown> =>
      rejectionOf(() =>
        db.transaction(
          async (tx) => {
            runs++
            tx.get('a')
            await meddle()
            tx.put('b', 1)
          },
          retries === undefined ? {} : { retries },
        ),
      )
    // From outside of the callback's context: a writer that is always quicker.
    const wanted: (() => void)[] = []
    const meddler = setInterval(() => {
      for (const resolve of wanted.splice(0)) {
        db.putSync('a', runs)
        resolve()
      }
    }, 1)
    const meddle = (): Promise<void> => new Promise((resolve) => wanted.push(resolve))
    try {
      expectRefusal(await meddled(0), 'ERR_SEALOG_CONFLICT')
      expect(runs).toBe(1)
      expectRefusal(await meddled(3), 'ERR_SEALOG_CONFLICT')
      expect(runs).toBe(5)
      expectRefusal(await meddled(), 'ERR_SEALOG_CONFLICT')
      expect(runs).toBe(16)
    } finally {
      clearInterval(meddler)
    }
    expect(db.has('b')).toBe(false)
    expectNothingHeld(db as Store)
    for (const retries of [-1, 1.5, NaN, '1' as unknown as number])
      expect(await rejectionOf(() => db.transaction(fail, { retries }))).toBeInstanceOf(RangeError)
  })

  it('that only reads never conflicts', async () => {
    const db = openScratch()
    db.putSync('a', 1)
    const read = db.transaction(
      async (tx) => {
        const first = tx.get('a')
        await sleep(5)
        return [first, tx.get('a'), tx.count()]
      },
      { retries: 0 },
    )
    db.putSync('a', 2)
    db.putSync('b', 2)
    expect(await read).toEqual([1, 1, 1])
    expectNothingHeld(db)
  })

  const meanwhile: [string, (db: Store) => void][] = [
    ['cleared', (db) => db.namespace('ns').clearSync()],
    ['cleared and filled again', (db) => { db.namespace('ns').clearSync(); db.namespace('ns').putSync('x', 1) }],
    ['dropped', (db) => { db.namespace('ns').drop() }],
    ['dropped and made anew', (db) => { db.namespace('ns').drop(); db.namespace('ns').putSync('x', 1) }],
  ] // prettier-ignore
  it.each(meanwhile)('in a namespace that is %s meanwhile conflicts, before and behind its first look', async (_name, change) => {
    for (const early of [true, false]) {
      const db = openScratch()
      const ns = db.namespace('ns')
      ns.putSync('x', 'stored')
      let begin!: () => void
      const begun = new Promise<void>((resolve) => (begin = resolve))
      const done = db.transaction(
        async (tx) => {
          if (early) expect(tx.in(ns).get('y')).toBeUndefined()
          begin()
          await sleep(5)
          // Still what it was.
          expect(tx.in(ns).get('x')).toBe('stored')
          tx.in(ns).put('z', 1)
        },
        { retries: 0 },
      )
      await begun
      change(db)
      expectRefusal(await rejectionOf(() => done), 'ERR_SEALOG_CONFLICT')
      expect(db.namespaces().flatMap((name) => db.namespace(name).keys().toArray())).not.toContain('z')
      expectNothingHeld(db)
    }
  }) // prettier-ignore

  it('refuses the handle of a namespace that was dropped, also if there is another of its name', async () => {
    const db = openScratch()
    const stale = db.namespace('ns')
    stale.drop()
    for (const again of [false, true]) {
      if (again) db.namespace<Buffer>('ns', { keys: 'binary', encoding: 'binary' })
      const write = (tx: Transaction): void => {
        tx.in(stale).put('a', 1)
      }
      expectRefusal(errorOf(() => { db.transactionSync(write) }), 'ERR_SEALOG_CLOSED') // prettier-ignore
      expectRefusal(await rejectionOf(() => db.transaction(write)), 'ERR_SEALOG_CLOSED')
    }
    expect(db.namespace('ns').count()).toBe(0)
  })

  it('may be aborted before, meanwhile and between its runs', async () => {
    const db = openScratch()
    const reason = new Error('enough')
    let runs = 0
    const before = await rejectionOf(() => db.transaction(() => ++runs, { signal: AbortSignal.abort(reason) }))
    expect(expectRefusal(before, 'ERR_SEALOG_ABORTED').cause).toBe(reason)
    expect(runs).toBe(0)
    const controller = new AbortController()
    const running = db.transaction(
      async (tx) => {
        tx.put('a', 1)
        await sleep(5)
      },
      { signal: controller.signal },
    )
    controller.abort(reason)
    expect(expectRefusal(await rejectionOf(() => running), 'ERR_SEALOG_ABORTED').cause).toBe(reason)
    expect(db.count()).toBe(0)
    expectNothingHeld(db)
  })

  it('rolls back what throws, and is not run again for it', async () => {
    const db = openScratch()
    let runs = 0
    const failing = (): Promise<unknown> =>
      db.transaction(async (tx) => {
        runs++
        tx.put('a', 1)
        await sleep(1)
        fail()
      })
    expect(await rejectionOf(failing)).toBeInstanceOf(Mistake)
    expect(await rejectionOf(() => db.transaction(fail))).toBeInstanceOf(Mistake)
    expect(runs).toBe(1)
    expect(db.count()).toBe(0)
    expectNothingHeld(db)
  })

  it('is durable when it resolves, and visible before', async () => {
    const db = openScratch({}, 'disk')
    await db.transaction((tx) => {
      tx.put('a', 1)
    })
    expect(db.stats().durableLsn).toBe(db.stats().lsn)
  })

  it('and fifty others at once count to fifty', async () => {
    const db = openScratch<number>()
    const ns = db.namespace<number>('ns')
    let runs = 0
    const one = async (i: number): Promise<void> => {
      await db.transaction(
        async (tx) => {
          runs++
          const n = tx.get('n') ?? 0
          await sleep(Math.random() * 3)
          tx.put('n', n + 1)
          tx.in(ns).put(i, tx.in(ns).count())
        },
        { retries: Infinity },
      )
    }
    await Promise.all(Array.from({ length: 50 }, (_, i) => one(i)))
    expect(db.get('n')).toBe(50)
    expect([...ns.values()].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    expect(runs).toBeGreaterThan(50)
    expectNothingHeld(db as Store)
  })

  it('keeps no two from writing what each has read of the other', async () => {
    // Write skew: snapshots alone would let both through.
    const db = openScratch<boolean>()
    for (const key of ['x', 'y']) db.putSync(key, true)
    const off = (mine: string, other: string): Promise<void> =>
      db.transaction(async (tx) => {
        const both = tx.get(mine) === true && tx.get(other) === true
        await sleep(3)
        if (both) tx.put(mine, false)
      })
    await Promise.all([off('x', 'y'), off('y', 'x')])
    expect([...db.values()].filter(Boolean)).toHaveLength(1)
  })
})

describe('a store that is closed in a transaction', () => {
  it('refuses the rest of a synchronous one, and has nothing of it', () => {
    const db = openScratch()
    db.putSync('a', 1)
    const error = errorOf(() => {
      db.transactionSync((tx) => {
        tx.put('b', 1)
        db.close()
        expectRefusal(
          errorOf(() => tx.get('a')),
          'ERR_SEALOG_CLOSED',
        )
      })
    })
    expectRefusal(error, 'ERR_SEALOG_CLOSED')
    const again = open(db.path)
    expect(all(again)).toEqual({ a: 1 })
    again.close()
  })

  it('refuses the rest of an asynchronous one, and has nothing of it', async () => {
    const db = openScratch()
    db.putSync('a', 1)
    const running = db.transaction(async (tx) => {
      tx.put('b', 1)
      await sleep(5)
      for (const call of [
        () => tx.get('a'),
        () => {
          tx.put('c', 1)
        },
        () => tx.range(),
      ])
        // prettier-ignore
        expectRefusal(errorOf(call), 'ERR_SEALOG_CLOSED')
    })
    db.close()
    expectRefusal(await rejectionOf(() => running), 'ERR_SEALOG_CLOSED')
    expectRefusal(await rejectionOf(() => db.transaction(fail)), 'ERR_SEALOG_CLOSED')
    expectRefusal(
      errorOf(() => db.transactionSync(fail)),
      'ERR_SEALOG_CLOSED',
    )
    const again = open(db.path)
    expect(all(again)).toEqual({ a: 1 })
    again.close()
  })
})

// Watching changes: all of them, in their order, with what was before; nothing of others; an end in every case.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Change, WatchOptions, WatchRange } from '../../src/index.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

type Watch<V> = AsyncIterableIterator<Change<V>, undefined, undefined>

/** The question that nothing has answered yet. */
const asked = new WeakMap<object, Promise<IteratorResult<Change, undefined>>>()

/** What has come up to now. */
async function taken<V>(watch: Watch<V>): Promise<Change[]> {
  const changes: Change[] = []
  for (;;) {
    const answer = asked.get(watch) ?? (watch as Watch<unknown>).next()
    asked.set(watch, answer)
    const next = await Promise.race([answer, sleep(5).then(() => undefined)])
    if (next === undefined || next.done === true) return changes
    asked.delete(watch)
    changes.push(next.value)
  }
}

const brief = (changes: Change[]): unknown[] =>
  changes.map(({ type, key, value, before }) => (type === 'clear' ? ['clear'] : [type, key, before, value]))

describe('a watcher', () => {
  it('gets every kind of change in order, with what was before and its version', async () => {
    const db = openScratch()
    db.putSync('old', 0)
    const watch = db.watch()
    const changes: Change[] = []
    const expected: unknown[] = []
    const step = (change: () => unknown, ...then: unknown[]): void => {
      change()
      expected.push(...then)
    }
    step(() => { db.putSync('a', 1) }, ['put', 'a', undefined, 1])
    expect((await watch.next()).value).toEqual({ type: 'put', key: 'a', value: 1, before: undefined, version: db.getEntry('a')!.version })
    expected.pop()
    step(() => { db.putSync('a', 2) }, ['put', 'a', 1, 2])
    step(() => db.put('b', { b: 1 }), ['put', 'b', undefined, { b: 1 }])
    step(() => db.removeSync('a'), ['del', 'a', 2, undefined])
    step(() => db.removeSync('a'))
    step(() => db.remove('b'), ['del', 'b', { b: 1 }, undefined])
    step(() => db.incrementSync('n', 3), ['put', 'n', undefined, 3])
    step(() => db.increment('n'), ['put', 'n', 3, 4])
    step(() => db.putSync('n', 9, { ifNoExists: true }))
    step(() => db.putSync('n', 9, { ifVersion: db.getEntry('n')!.version }), ['put', 'n', 4, 9])
    step(() => db.removeSync('n', { ifVersion: 1 }))
    step(() => db.batchSync([{ type: 'put', key: 'x', value: 1 }, { type: 'del', key: 'old' }, { type: 'put', key: 'x', value: 2 }, { type: 'del', key: 'never' }]),
      ['put', 'x', undefined, 2], ['del', 'old', 0, undefined])
    step(() => db.batchSync([{ type: 'put', key: 'x', value: 3 }, { type: 'put', key: 'y', value: 3, ifVersion: 1 }]))
    step(() => { db.transactionSync((tx) => { tx.put('t', 1); tx.remove('x'); tx.put('u', 1); tx.remove('u') }) }, ['put', 't', undefined, 1], ['del', 'x', 2, undefined])
    step(() => errorOf(() => { db.transactionSync((tx) => { tx.put('t', 2); throw new Error() }) }))
    step(() => db.clearSync(), ['clear'])
    step(() => db.clearSync())
    changes.push(...(await taken(watch)))
    expect(brief(changes)).toEqual(expected)
    const versions = changes.flatMap((change) => (change.type === 'clear' ? [] : [change.version]))
    expect(versions).toEqual([...versions].sort((a, b) => a - b))
  }) // prettier-ignore

  it('gets those of an asynchronous transaction when it has committed, and none of its failed runs', async () => {
    const db = openScratch<number>()
    const ns = db.namespace<number>('ns')
    const [all, inNamespace] = [db.watch(), ns.watch()]
    let runs = 0
    const done = db.transaction(async (tx) => {
      runs++
      tx.put('a', (tx.get('a') ?? 0) + 1)
      tx.in(ns).put('b', runs)
      await sleep(5)
    })
    db.putSync('a', 10)
    await done
    expect(runs).toBe(2)
    expect(brief(await taken(all))).toEqual([['put', 'a', undefined, 10], ['put', 'a', 10, 11]]) // prettier-ignore
    expect(brief(await taken(inNamespace))).toEqual([['put', 'b', undefined, 2]])
  })

  const ranges: [WatchRange, unknown[]][] = [
    [{}, ['a', 'b', 'ba', 'c']],
    [{ key: 'b' }, ['b']],
    [{ prefix: 'b' }, ['b', 'ba']],
    [{ gte: 'b' }, ['b', 'ba', 'c']],
    [{ gt: 'b' }, ['ba', 'c']],
    [{ lt: 'b' }, ['a']],
    [{ lte: 'b' }, ['a', 'b']],
    [{ gt: 'a', lte: 'ba' }, ['b', 'ba']],
    [{ gt: 'x' }, []],
  ]
  it.each(ranges)('gets what is in %j, and of its own namespace only', async (range, keys) => {
    const db = openScratch()
    const [one, two] = [db.namespace('one'), db.namespace('two')]
    const parts = [db, one, two]
    const watches = parts.map((part) => part.watch(range))
    parts.forEach((part, i) => {
      for (const key of ['a', 'b', 'ba', 'c']) part.putSync(key, i)
    })
    for (const [i, watch] of watches.entries()) {
      const changes = await taken(watch)
      expect(changes.map(({ key, value }) => [key, value])).toEqual(keys.map((key) => [key, i]))
    }
  })

  it('of a namespace goes on when that is cleared', async () => {
    const db = openScratch()
    const [ns, other] = [db.namespace('ns'), db.namespace('other')]
    const [all, one, elsewhere] = [ns.watch(), ns.watch({ prefix: 'k' }), other.watch()]
    for (let round = 0; round < 3; round++) {
      ns.putSync('k', round)
      ns.clearSync()
      ns.putSync('k', 'again')
      ns.putSync('x', 'again')
      ns.removeSync('k')
      expect(ns.clearSync({ prefix: 'x' })).toBe(1)
      for (const [watch, mine] of [[all, [['put', 'x', undefined, 'again']]], [one, []]] as const) {
        const expected = [['put', 'k', undefined, round], ['clear'], ['put', 'k', undefined, 'again'], ...mine, ['del', 'k', 'again', undefined], ['clear']]
        expect(brief(await taken(watch))).toEqual(expected)
      }
    }
    expect(await taken(elsewhere)).toEqual([])
  }) // prettier-ignore

  it('is told of a clear that was stopped, and of puts behind its last slice after it', async () => {
    const db = openScratch<number>()
    for (let i = 0; i < 1_500; i++) void db.put(i, i)
    await db.flush()
    const watch = db.watch()
    const controller = new AbortController()
    const cleared = db.clear({ signal: controller.signal })
    controller.abort(new Error('enough'))
    expect(await rejectionOf(() => cleared)).toMatchObject({ message: 'enough' })
    expect(db.count()).toBeLessThan(1_500)
    expect(brief(await taken(watch))).toEqual([['clear']])
    const rest = db.clear()
    db.putSync('behind', 1)
    await rest
    const changes = brief(await taken(watch))
    expect(changes[0]).toEqual(['clear'])
    expect(changes.some((change) => (change as unknown[])[1] === 'behind')).toBe(true)
    // It is the last that counts: what is told last is what is there.
    expect(db.has('behind')).toBe((changes.at(-1) as unknown[])[0] === 'put')
  })

  it('does not see an expiry as a change, and an expired entry as absent', async () => {
    const db = openScratch()
    const watch = db.watch()
    db.putSync('a', 1, { ttl: 20 })
    await sleep(60)
    db.putSync('a', 2)
    expect(brief(await taken(watch))).toEqual([['put', 'a', undefined, 1], ['put', 'a', undefined, 2]]) // prettier-ignore
  })

  it('that falls behind gets what was waiting, then ERR_SEALOG_OVERFLOW, then the end', async () => {
    const db = openScratch<number>()
    const [slow, quick] = [db.watch({}, { capacity: 3 }), db.watch()]
    for (let i = 0; i < 5; i++) db.putSync(i, i)
    for (let i = 0; i < 3; i++) expect((await slow.next()).value).toMatchObject({ key: i })
    expectRefusal(await rejectionOf(() => slow.next()), 'ERR_SEALOG_OVERFLOW')
    expect(await slow.next()).toEqual({ done: true, value: undefined })
    expect(await taken(quick)).toHaveLength(5)
    const usual = db.watch()
    for (let i = 0; i < 1_025; i++) void db.put(i, i)
    for (let i = 0; i < 1_024; i++) expect((await usual.next()).done).toBe(false)
    expectRefusal(await rejectionOf(() => usual.next()), 'ERR_SEALOG_OVERFLOW')
  })

  it('takes a change that is waited for without room in its queue', async () => {
    const db = openScratch<number>()
    const watch = db.watch({}, { capacity: 1 })
    const waiting = [watch.next(), watch.next(), watch.next()]
    for (let i = 0; i < 4; i++) db.putSync(i, i)
    expect((await Promise.all(waiting)).map(({ value }) => (value as Change).key)).toEqual([0, 1, 2])
    expect((await watch.next()).value).toMatchObject({ key: 3 })
  })

  it('ends with the reason of its signal, whenever that comes', async () => {
    const db = openScratch()
    const reason = new Error('enough')
    const before = db.watch({}, { signal: AbortSignal.abort(reason) })
    expect(await rejectionOf(() => before.next())).toBe(reason)
    expect((await before.next()).done).toBe(true)
    const controller = new AbortController()
    const watch = db.watch({}, { signal: controller.signal })
    const queued = db.watch({}, { signal: controller.signal })
    db.putSync('a', 1)
    await watch.next()
    const waiting = rejectionOf(() => watch.next())
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    expect(await rejectionOf(() => queued.next())).toBe(reason)
    db.putSync('a', 2)
    expect((await watch.next()).done).toBe(true)
  })

  it('ends with the store, after what it has not taken yet', async () => {
    const db = openScratch()
    const [watch, idle] = [db.watch(), db.namespace('ns').watch()]
    const waiting = idle.next()
    db.putSync('a', 1)
    db.close()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect((await watch.next()).value).toMatchObject({ key: 'a' })
    expect((await watch.next()).done).toBe(true)
    expectRefusal(
      errorOf(() => db.watch()),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('ends with the loop that is left, and others go on', async () => {
    const db = openScratch()
    const [left, other] = [db.watch(), db.watch()]
    db.putSync('a', 1)
    db.putSync('b', 1)
    for await (const change of left) {
      expect(change.key).toBe('a')
      break
    }
    db.putSync('c', 1)
    expect((await left.next()).done).toBe(true)
    expect(await taken(other)).toHaveLength(3)
    const waiting = other.next()
    await other.return!()
    expect((await waiting).done).toBe(true)
  })

  it('refuses what it cannot watch', () => {
    const db = openScratch()
    const wrong: [unknown, unknown][] = [
      [{ key: 'a', prefix: 'a' }, {}],
      [{ unknown: 1 }, {}],
      [{ key: {} }, {}],
      [{}, { capacity: 0 }],
      [{}, { capacity: 1.5 }],
      [{}, { capacity: '1' }],
    ]
    for (const [range, options] of wrong) {
      const error = errorOf(() => db.watch(range as WatchRange, options as WatchOptions))
      expect(error instanceof TypeError || error instanceof RangeError, JSON.stringify([range, options])).toBe(true)
    }
  })
})

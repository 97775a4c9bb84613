// Namespaces: none sees anything of another; each keeps its own encodings; clearing and dropping is at once, and gives back its space.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type CustomEncoding, type NamespaceOptions, open, type Store } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

const roman: CustomEncoding<number> = {
  encode: (value) => Buffer.from('I'.repeat(value)),
  decode: (bytes) => bytes.length,
}

/** Segments that are in use. */
const used = (db: Store): number => db.stats().space.segments - db.stats().space.free

describe('neighbouring namespaces', () => {
  it('see nothing of each other, in any kind of range', () => {
    const db = openScratch({ capacity: '16MiB' })
    const parts = [db, ...Array.from({ length: 300 }, (_, i) => db.namespace(`n${i}`))]
    parts.forEach((part, i) => {
      for (const key of ['', 'a', `only ${i}`, null, 0, '\u{10ffff}', Buffer.from([255, 255]), ['a', i]])
        part.putSync(key, [i, key])
    })
    const keys = (i: number): unknown[] => [null, 0, '', 'a', `only ${i}`, '\u{10ffff}', Buffer.from([255, 255]), ['a', i]] // prettier-ignore
    parts.forEach((part, i) => {
      const mine = part.keys().toArray()
      expect(mine.map(String).sort()).toEqual(keys(i).map(String).sort())
      expect(part.range().map(({ value }) => (value as unknown[])[0]).every((n) => n === i)).toBe(true) // prettier-ignore
      expect(part.keys({ reverse: true }).toArray()).toEqual([...mine].reverse())
      expect(part.keys({ reverse: true, limit: 1 }).toArray()).toEqual(mine.slice(-1))
      expect(part.keys({ gte: 'a' }).toArray()).toEqual(mine.slice(mine.indexOf('a')))
      expect(part.keys({ offset: 6 }).toArray()).toEqual(mine.slice(6))
      expect(part.keys({ offset: 100 }).toArray()).toEqual([])
      expect(part.keys({ prefix: ['a'] }).toArray()).toEqual([['a', i]])
      expect(part.count()).toBe(8)
      expect(part.count({ prefix: 'only' })).toBe(1)
      expect(part.has(`only ${i + 1}`)).toBe(false)
      expect(part.getMany(['a', `only ${i + 1}`])).toEqual([[i, 'a'], undefined])
    })
  })

  it('lose nothing when one is emptied, key by key, by ranges, or as a whole', async () => {
    const db = openScratch({ capacity: '16MiB' })
    const [a, b, c] = [db.namespace('a'), db.namespace('b'), db.namespace('c')]
    const parts = [db, a, b, c]
    for (const each of parts) each.batchSync(Array.from({ length: 700 }, (_, i) => ({ type: 'put', key: i, value: i })))
    for (let i = 0; i < 700; i++) expect(b.removeSync(i)).toBe(true)
    expect(parts.map((each) => each.count())).toEqual([700, 700, 0, 700])
    expect(a.clearSync({ gte: 100 })).toBe(600)
    expect(parts.map((each) => each.count())).toEqual([700, 100, 0, 700])
    expect(await a.clear()).toBe(100)
    expect(parts.map((each) => each.count())).toEqual([700, 0, 0, 700])
    expect(db.clearSync()).toBe(700)
    expect(parts.map((each) => each.count())).toEqual([0, 0, 0, 700])
    await sleep(60)
    expect(c.values().toArray()).toEqual(Array.from({ length: 700 }, (_, i) => i))
  })

  it('hold keys up to four bytes shorter than the default one, and values of all sizes', () => {
    const db = openScratch<string>({ keys: 'utf8', encoding: 'string', capacity: '16MiB' })
    const ns = db.namespace<string, string>('ns', { keys: 'utf8', encoding: 'string' })
    db.putSync('k'.repeat(1_984), 'v')
    ns.putSync('k'.repeat(1_980), 'v')
    for (const call of [
      () => {
        ns.putSync('k'.repeat(1_981), 'v')
      },
      () => ns.batchSync([{ type: 'put', key: 'k'.repeat(1_981), value: 'v' }]),
    ])
      // prettier-ignore
      expectRefusal(errorOf(call), 'ERR_SEALOG_KEY_TOO_LARGE')
    const large = 'large '.repeat(200_000)
    ns.putSync('large', large)
    expect(ns.get('large')).toBe(large)
    expect(ns.range().toArray().map(({ key, value }) => [key.length, value.length])).toEqual([[1_980, 1], [5, large.length]]) // prettier-ignore
  })
})

describe('the options of a namespace', () => {
  const kinds: [string, NamespaceOptions, unknown, unknown][] = [
    ['msgpack', {}, ['k', 1], { a: [1n, new Date(0)] }],
    ['json', { keys: 'utf8', encoding: 'json' }, 'k', { a: null }],
    ['string', { keys: 'utf8', encoding: 'string' }, 'k', 'text'],
    ['binary', { keys: 'binary', encoding: 'binary' }, Buffer.from([0, 255]), Buffer.from([1])],
    ['custom', { keys: 'ordered', encoding: roman }, 'k', 7],
  ]
  it.each(kinds)('are kept for %s, whatever the store has', (_name, options, key, value) => {
    for (const encoding of ['binary', 'json'] as const) {
      const db = openScratch<never>({ keys: 'utf8', encoding }) as unknown as Store
      const ns = db.namespace<unknown, unknown>('ns', options)
      ns.putSync(key, value)
      expect(ns.range().toArray()).toEqual([{ key, value }])
      db.close()
      const again = open(db.path)
      const custom = typeof options.encoding === 'object'
      const reopened = again.namespace<unknown, unknown>('ns', custom ? options : {})
      expect(reopened.range().toArray()).toEqual([{ key, value }])
      expect(reopened.get(key)).toEqual(value)
      expect(again.namespace('ns', options) === reopened).toBe(true)
      again.close()
    }
  })

  it('must agree with what is recorded, also after a reopening', () => {
    let db = openScratch()
    const made = { keys: 'utf8', encoding: 'json', ttl: 1_000 } as const
    db.namespace('ns', made)
    db.namespace('custom', { encoding: roman })
    const wrong: NamespaceOptions[] = [{ keys: 'ordered' }, { encoding: 'msgpack' }, { encoding: roman }, { ttl: 1 }, { ...made, ttl: 2 }] // prettier-ignore
    for (let round = 0; round < 2; round++) {
      for (const options of wrong) expect(errorOf(() => db.namespace('ns', options))).toBeInstanceOf(TypeError)
      for (const options of [{ encoding: 'json' as const }, ...(round === 1 ? [{}] : [])])
        expect(errorOf(() => db.namespace('custom', options))).toBeInstanceOf(TypeError)
      for (const options of [{}, { keys: 'utf8' as const }, made]) expect(db.namespace('ns', options).name).toBe('ns')
      db.close()
      db = open(db.path)
    }
    expect(db.namespaces()).toEqual(['custom', 'ns'])
    db.close()
  })

  it('are checked, as names are', () => {
    const db = openScratch()
    const wrong: unknown[] = [
      null, 'json', { unknown: 1 }, { keys: 'x' }, { encoding: 'x' }, { encoding: { encode: 1 } }, { encoding: null }, { ttl: '1' }, { ttl: 0 }, { ttl: -1 }, { ttl: Infinity }, { ttl: NaN },
    ] // prettier-ignore
    for (const options of wrong) {
      const error = errorOf(() => db.namespace('ns', options as NamespaceOptions))
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
    }
    for (const name of ['', 1, null, undefined, '\ud800', 'x'.repeat(513)]) {
      const error = errorOf(() => db.namespace(name as string))
      expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
    }
    expect(db.namespaces()).toEqual([])
    const names = ['x'.repeat(512), '/', '0', 'namespace/', 'garbage/1', '\0', '__proto__', 'ünï', '\u{10ffff}', 'a/b'] // prettier-ignore
    names.forEach((name, i) => { db.namespace(name).putSync('k', i) }) // prettier-ignore
    expect(db.namespaces().sort()).toEqual([...names].sort())
    names.forEach((name, i) => { expect(db.namespace(name).get('k')).toBe(i) }) // prettier-ignore
  })
})

describe('a namespace', () => {
  it('keeps the shapes of its objects through clear and reopen, apart from those of others', () => {
    let db = openScratch()
    const write = (store: Store, from: number): void => {
      for (const [name, field] of [
        ['one', 'a'],
        ['two', 'b'],
      ] as const) {
        // prettier-ignore
        for (let i = from; i < from + 20; i++) store.namespace(name).putSync(i, { [field]: i, [`${field}${i % 5}`]: i })
      }
    }
    const check = (store: Store, from: number): void => {
      for (const [name, field] of [
        ['one', 'a'],
        ['two', 'b'],
      ] as const) {
        // prettier-ignore
        const expected = Array.from({ length: 20 }, (_, i) => ({ [field]: from + i, [`${field}${(from + i) % 5}`]: from + i })) // prettier-ignore
        expect(store.namespace(name).values().toArray()).toEqual(expected)
      }
    }
    write(db, 0)
    using snapshot = db.snapshot()
    db.namespace('one').clearSync()
    db.namespace('two').clearSync()
    write(db, 100)
    check(db, 100)
    expect(snapshot.namespace(db.namespace('one')).get(3)).toEqual({ a: 3, a3: 3 })
    for (let round = 0; round < 3; round++) {
      db.close()
      db = open(db.path)
      check(db, 100)
      db.namespace('one').clearSync()
      db.namespace('two').clearSync()
      write(db, 100)
    }
    check(db, 100)
    db.namespace('one').drop()
    db.namespace('one').putSync(1, { other: 'shape' })
    db.close()
    db = open(db.path)
    expect(db.namespace('one').get(1)).toEqual({ other: 'shape' })
    db.close()
  })

  it('is emptied at once and as a whole by clear, whose promise tells how many there were', async () => {
    const db = openScratch({ capacity: '16MiB' })
    const ns = db.namespace<number>('ns')
    for (let i = 0; i < 5_000; i++) void ns.put(i, i)
    const cleared = ns.clear()
    expect(ns.count()).toBe(0)
    expect(ns.keys().toArray()).toEqual([])
    expect(ns.get(1)).toBeUndefined()
    expect(await cleared).toBe(5_000)
    expect(ns.clearSync()).toBe(0)
    ns.putSync(1, 2)
    db.close()
    const again = open(db.path)
    expect(again.namespace('ns').range().toArray()).toEqual([{ key: 1, value: 2 }])
    again.close()
  })

  it('gives what is there then to a range that was asked for before it was cleared', () => {
    const db = openScratch()
    const ns = db.namespace<number>('ns')
    for (let i = 0; i < 10; i++) ns.putSync(i, i)
    const [rows, bounded, keys] = [ns.range(), ns.values({ gt: 3, lte: 50 }), ns.keys({ reverse: true })]
    ns.clearSync()
    ns.putSync(42, 42)
    expect(rows.toArray()).toEqual([{ key: 42, value: 42 }])
    expect(bounded.toArray()).toEqual([42])
    expect(keys.toArray()).toEqual([42])
    // One that has begun keeps what it began with.
    for (let i = 0; i < 2_000; i++) void ns.put(i, i)
    const begun = ns.keys()
    begun.next()
    const late = ns.keys()
    ns.clearSync()
    expect(begun.toArray()).toHaveLength(1_999)
    ns.drop()
    expectRefusal(
      errorOf(() => late.toArray()),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('cannot be used once it is dropped, and one of its name is another', async () => {
    const db = openScratch()
    const stale = db.namespace('ns', { keys: 'utf8', encoding: 'json' })
    stale.putSync('old', 1)
    stale.drop()
    expect(db.namespaces()).toEqual([])
    const anew = db.namespace<Buffer>('ns', { encoding: 'binary' })
    expect(anew === stale).toBe(false)
    expect(anew.count()).toBe(0)
    const calls = [
      () => stale.get('old'),
      () => stale.getEntry('old'),
      () => stale.getMany(['old']),
      () => stale.has('old'),
      () => stale.count(),
      () => stale.keys().toArray(),
      () => { stale.putSync('k', 1) }, // prettier-ignore
      () => stale.putSync('k', 1, { ifNoExists: true }),
      () => stale.removeSync('k'),
      () => stale.batchSync([{ type: 'put', key: 'k', value: 1 }]),
      () => stale.incrementSync('k'),
      () => stale.clearSync({ gt: 'a' }),
    ]
    for (const call of calls) expectRefusal(errorOf(call), 'ERR_SEALOG_CLOSED')
    for (const call of [() => stale.put('k', 1), () => stale.remove('k'), () => stale.increment('k')])
      expectRefusal(await rejectionOf(call), 'ERR_SEALOG_CLOSED')
    for (const call of [() => stale.clearSync(), () => { stale.drop() }]) expect(errorOf(call)).toBeInstanceOf(Error) // prettier-ignore
    expect(anew.count()).toBe(0)
    expect(db.namespaces()).toEqual(['ns'])
    db.close()
    expectRefusal(
      errorOf(() => anew.count()),
      'ERR_SEALOG_CLOSED',
    )
    expectRefusal(
      errorOf(() => db.namespace('ns')),
      'ERR_SEALOG_CLOSED',
    )
    expectRefusal(
      errorOf(() => db.namespaces()),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('can be read in a read-only store, and not made there', () => {
    const db = openScratch()
    db.namespace('ns', { encoding: 'json' }).putSync('a', 1)
    db.close()
    const reader = open(db.path, { readOnly: true })
    const ns = reader.namespace('ns')
    expect(ns.get('a')).toBe(1)
    expect(reader.namespaces()).toEqual(['ns'])
    expectRefusal(
      errorOf(() => reader.namespace('other')),
      'ERR_SEALOG_ABSENT',
    )
    for (const call of [
      () => {
        ns.putSync('b', 1)
      },
      () => ns.clearSync(),
      () => ns.clearSync({ gt: 1 }),
      () => {
        ns.drop()
      },
    ])
      // prettier-ignore
      expectRefusal(errorOf(call), 'ERR_SEALOG_READONLY')
    expect(ns.count()).toBe(1)
    reader.close()
  })

  it('is one of a thousand', () => {
    let db = openScratch({ capacity: '16MiB' })
    const names = Array.from({ length: 1_000 }, (_, i) => `namespace ${String(i).padStart(4, '0')}`)
    names.forEach((name, i) => { db.namespace(name, { ttl: 1e6 + i }).putSync('k', i) }) // prettier-ignore
    expect(db.namespaces()).toEqual(names)
    for (const name of names.filter((_, i) => i % 3 === 0)) db.namespace(name).drop()
    db.close()
    db = open(db.path)
    const left = names.filter((_, i) => i % 3 !== 0)
    expect(db.namespaces()).toEqual(left)
    for (const name of left) expect(db.namespace(name).range().toArray()).toEqual([{ key: 'k', value: Number(name.slice(-4)) }]) // prettier-ignore
    db.close()
  })
})

describe('what a namespace took up', () => {
  const fill = (db: Store): void => {
    const ns = db.namespace<string>('ns')
    for (let i = 0; i < 3_000; i++) void ns.put(i, 'x'.repeat(500))
  }
  const sizes = { capacity: '8MiB', segmentBytes: '64KiB', checkpointBytes: '64KiB' } as const

  it.each(['clearSync', 'drop'] as const)('comes back in the background after %s', async (how) => {
    const db = openScratch(sizes)
    await db.flush()
    const before = used(db)
    fill(db)
    await db.flush()
    const full = used(db)
    expect(full).toBeGreaterThan(before + 20)
    db.namespace('ns')[how]()
    // It is not there any more at once, but only in the background is it removed.
    await expect.poll(() => db.stats().index.leaves, { timeout: 10_000, interval: 20 }).toBeLessThan(20)
    // Segments come back with the checkpoints of later writes.
    await expect
      .poll(() => (db.putSync('tick', 'x'.repeat(2_000)), used(db)), { timeout: 10_000, interval: 5 })
      .toBeLessThan(before + 8)
  })

  it.each(['clearSync', 'drop'] as const)('comes back in a full store, too: %s', async (how) => {
    const db = openScratch<string>(sizes)
    const ns = db.namespace<string>('ns')
    const putUntilFull = (): void => {
      for (let i = 0; ; i++) ns.putSync(i, 'x'.repeat(500))
    }
    expectRefusal(errorOf(putUntilFull), 'ERR_SEALOG_FULL')
    // To the last byte, so that there is no room for a line of the catalogue.
    const fillUp = (): void => {
      for (let i = 0; ; i++) ns.putSync(`small ${i}`, '')
    }
    expectRefusal(errorOf(fillUp), 'ERR_SEALOG_FULL')
    const count = ns.count()
    const cleared = ns[how]()
    if (how === 'clearSync') expect(cleared).toBe(count)
    const put = (): boolean => {
      try {
        db.namespace<string>('ns').putSync('again', 'x'.repeat(20_000))
        return true
      } catch (error) {
        expectRefusal(error, 'ERR_SEALOG_FULL')
        return false
      }
    }
    // Not at once: the space comes in the background.
    await expect.poll(put, { timeout: 10_000, interval: 5 }).toBe(true)
    expect(db.namespace('ns').count()).toBe(1)
    for (let i = 0; i < 100; i++) db.putSync(i, 'x'.repeat(2_000))
  })

  it('comes back after a reopening, and after a kill in the middle of it', async () => {
    const db = openScratch(sizes)
    fill(db)
    await db.flush()
    const leaves = db.stats().index.leaves
    expect(db.namespace('ns').clearSync()).toBe(3_000)
    db.close()
    let again = open(db.path)
    expect(again.namespace('ns').count()).toBe(0)
    expect(again.stats().index.leaves).toBeGreaterThan(leaves / 2)
    await expect.poll(() => again.stats().index.leaves, { timeout: 10_000, interval: 20 }).toBeLessThan(20)
    again.close()

    const path = `${scratchDirectory()}/store`
    for (let cycle = 0; cycle < 4; cycle++) {
      const child = startChild('clear-child.mjs', { path, options: sizes })
      await child.printed('cleared')
      await sleep(cycle * 4)
      child.process.kill('SIGKILL')
      expect((await child.ended).stderr).toBe('')
      again = open(path)
      expect(again.namespace('ns').count()).toBe(0)
      expect(again.namespace('beside').count()).toBe(500)
      if (cycle % 2 === 1) await expect.poll(() => again.stats().index.leaves, { timeout: 10_000, interval: 20 }).toBeLessThan(60) // prettier-ignore
      again.close()
    }
  })
})

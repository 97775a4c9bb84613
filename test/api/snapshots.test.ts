// Snapshots: they do not change, whatever happens to the store; they can be let go, and are when they are forgotten.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { open, type ReadView, type Store } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { errorOf, expectRefusal } from '../support/expect.ts'
import { openScratch, scratchDirectory } from '../support/scratch.ts'

/** All that can be read, in every way. */
function readAll(view: ReadView): unknown {
  const keys = view.keys().toArray()
  return {
    entries: view.range().toArray(),
    reverse: view.keys({ reverse: true }).toArray(),
    values: view.values().toArray(),
    many: view.getMany(keys),
    binary: keys.map((key) => view.getBinary(key)),
    found: keys.map((key) => view.getEntry(key)),
    has: [...keys, 'absent'].map((key) => view.has(key)),
    count: view.count(),
    part: view.keys({ offset: 2, limit: 3 }).toArray(),
  }
}

function fill(db: Pick<Store, 'putSync'>, from: number, to: number, text: string): void {
  for (let i = from; i < to; i++) db.putSync(i, { i, text })
}

describe('a snapshot', () => {
  it('stays as it was under puts, removes, batches, transactions, increments and clears', async () => {
    const db = openScratch({ capacity: '16MiB' })
    const ns = db.namespace('ns')
    fill(db, 0, 1_000, 'before')
    fill(ns, 0, 300, 'before')
    using snapshot = db.snapshot()
    const namespace = snapshot.namespace(ns)
    const expected = [readAll(snapshot), readAll(namespace)]
    const { version } = snapshot
    const changes: (() => unknown)[] = [
      () => { fill(db, 500, 1_500, 'after') },
      () => { for (let i = 0; i < 400; i++) db.removeSync(i) },
      () => db.batchSync([{ type: 'del', key: 500 }, { type: 'put', key: 'x', value: 1 }]),
      () => db.transaction((tx) => { tx.put(501, 'tx'); tx.in(ns).remove(5) }),
      () => db.incrementSync('n'),
      () => db.clearSync({ gte: 600, lt: 800 }),
      () => { fill(ns, 100, 400, 'after') },
      () => ns.clearSync({ lt: 50 }),
      () => ns.clearSync(),
      () => sleep(50),
      () => { fill(ns, 0, 10, 'again') },
      () => db.clear(),
      () => { db.namespace('other').putSync(1, 1) },
      () => { ns.drop() },
      () => sleep(50),
    ] // prettier-ignore
    for (const change of changes) {
      await change()
      expect([readAll(snapshot), readAll(namespace)]).toEqual(expected)
    }
    expect(snapshot.version).toBe(version)
    expect(db.count()).toBe(0)
  })

  it('has the version of the last commit, and sees what was not durable yet', async () => {
    const db = openScratch()
    const pending = db.put('a', 1)
    const snapshot = db.snapshot()
    expect(snapshot.version).toBe(db.getEntry('a')!.version)
    expect(snapshot.get('a')).toBe(1)
    await pending
    snapshot.release()
    db.putSync('a', 2)
    using later = db.snapshot()
    expect(later.version).toBe(db.getEntry('a')!.version)
  })

  it('does not lose what expires after it was taken, nor show what had expired', async () => {
    const db = openScratch()
    db.putSync('kept', 1)
    db.putSync('expired', 1, { expiresAt: Date.now() - 1 })
    db.putSync('live', 1, { ttl: 60 })
    using snapshot = db.snapshot()
    const expected = readAll(snapshot)
    expect(snapshot.keys().toArray()).toEqual(['kept', 'live'])
    await sleep(100)
    expect(db.keys().toArray()).toEqual(['kept'])
    await expect.poll(() => db.stats().entries).toBe(1)
    expect(readAll(snapshot)).toEqual(expected)
  })

  it('does not know a namespace that was made later, or made anew', () => {
    const db = openScratch()
    const gone = db.namespace('ns')
    gone.putSync('old', 1)
    using snapshot = db.snapshot()
    gone.drop()
    const anew = db.namespace<Buffer>('ns', { keys: 'utf8', encoding: 'binary' })
    anew.putSync('new', Buffer.from('new'))
    const later = db.namespace('later')
    later.putSync('x', 1)
    expect(snapshot.namespace(anew).count()).toBe(0)
    expect(snapshot.namespace(anew).get('old')).toBeUndefined()
    expect(snapshot.namespace(anew).range().toArray()).toEqual([])
    expect(snapshot.namespace(later).count()).toBe(0)
    expect(snapshot.namespace(gone).range().toArray()).toEqual([{ key: 'old', value: 1 }])
    expect(errorOf(() => snapshot.namespace(openScratch().namespace('later')))).toBeInstanceOf(TypeError)
  })

  it('lets go of what it held when it is released', async () => {
    const db = openScratch({ capacity: '8MiB' })
    const snapshots = Array.from({ length: 5 }, (_, i) => {
      fill(db, 0, 500, `round ${i}`)
      return db.snapshot()
    })
    await sleep(5)
    const { pins } = db.stats()
    expect(pins.snapshots).toBe(5)
    expect(pins.oldestSnapshot.version).toBe(snapshots[0]!.version)
    expect(pins.oldestSnapshot.ageMs).toBeGreaterThan(0)
    snapshots[0]!.release()
    expect(db.stats().pins.oldestSnapshot.version).toBe(snapshots[1]!.version)
    snapshots.forEach((snapshot, i) => {
      expect(snapshot.released).toBe(i === 0)
      if (i > 0) expect(snapshot.get(499)).toEqual({ i: 499, text: `round ${i}` })
      snapshot.release()
      snapshot.release()
      expect(snapshot.released).toBe(true)
    })
    expect(db.stats().pins.snapshots).toBe(0)
    // A store of 8 MiB that is overwritten with 80 MiB: nothing old is held.
    for (let i = 0; i < 80; i++) db.putSync('large', 'x'.repeat(1_000_000))
  })

  it('is refused once it is released, with its namespaces and its iterators, and tells it from a closed store', () => {
    const db = openScratch()
    const ns = db.namespace('ns')
    fill(db, 0, 2_000, 'x')
    const snapshot = db.snapshot()
    const namespace = snapshot.namespace(ns)
    const rows = snapshot.range()
    rows.next()
    snapshot[Symbol.dispose]()
    const calls = (view: ReadView): (() => unknown)[] => [
      () => view.get(1),
      () => view.getBinary(1),
      () => view.getEntry(1),
      () => view.getMany([1]),
      () => view.has(1),
      () => view.count(),
      () => view.range().next(),
      () => view.keys().next(),
    ]
    for (const call of [...calls(snapshot), ...calls(namespace), () => snapshot.namespace(ns), () => rows.toArray()])
      expect(expectRefusal(errorOf(call), 'ERR_SEALOG_CLOSED').message).toMatch(/snapshot/)
    const open = db.snapshot()
    db.close()
    for (const call of calls(open)) expectRefusal(errorOf(call), 'ERR_SEALOG_CLOSED')
    open.release()
    expectRefusal(
      errorOf(() => db.snapshot()),
      'ERR_SEALOG_CLOSED',
    )
  })

  it('may be taken of a read-only store', () => {
    const db = openScratch()
    fill(db, 0, 10, 'x')
    db.close()
    const reader = open(db.path, { readOnly: true })
    using snapshot = reader.snapshot()
    expect(snapshot.count()).toBe(10)
    reader.close()
  })
})

describe('a snapshot that is forgotten', () => {
  it('is released by garbage collection, with one warning for a process', async () => {
    const path = `${scratchDirectory()}/store`
    const { code, stdout, stderr } = await startChild('leak-child.mjs', { path }, ['--expose-gc']).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      held: 6,
      left: 0,
      warnings: [{ name: 'SealogWarning', code: 'SEALOG_LEAK' }],
    })
  })
})

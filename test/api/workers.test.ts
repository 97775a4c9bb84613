// One store in several threads, and several times in one: shared, whoever opens and closes it in which order.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { open, openAsync, type OpenOptions, type Store } from '../../src/index.ts'
import { assertBuilt } from '../support/built.ts'
import { expectRefusal, rejectionOf } from '../support/expect.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

const addon = new URL('../../dist/index.js', import.meta.url).href

/** A worker that runs `body` with `db`-less helpers: `open`, `openAsync`, `path`, `parentPort`, `ask` (the next message). */
function startWorker(path: string, name: string, body: string): Worker {
  assertBuilt()
  const file = join(dirname(path), `${name}.mjs`)
  writeFileSync(
    file,
    `import { once } from 'node:events'
import { parentPort } from 'node:worker_threads'
import { open, openAsync } from ${JSON.stringify(addon)}
const path = ${JSON.stringify(path)}
const small = ${JSON.stringify(small)}
const ask = async () => (await once(parentPort, 'message'))[0]
${body}
`,
  )
  const worker = new Worker(file)
  onTestFinished(async () => {
    await worker.terminate()
  })
  return worker
}

function told(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const exit = (code: number): void => {
      reject(new Error(`the worker ended with ${code}`))
    }
    worker.once('error', reject)
    worker.once('exit', exit)
    worker.once('message', (message) => {
      worker.off('error', reject)
      worker.off('exit', exit)
      resolve(message)
    })
  })
}

function ended(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('exit', () => {
      resolve()
    })
    worker.once('error', reject)
  })
}

function storePath(): string {
  return join(scratchDirectory(), 'store')
}

function opened<V = unknown>(path: string, options: OpenOptions<V> = {}): Store<V> {
  const db = open<V>(path, { ...small, ...options })
  onTestFinished(() => {
    db.close()
  })
  return db
}

describe('a store that is opened twice in one thread', () => {
  it('is one store: what one handle has written the other reads', async () => {
    const path = storePath()
    const [a, b] = [opened(path), opened(path)]
    a.putSync('a', { left: 1 })
    expect(b.get('a')).toEqual({ left: 1 })
    await b.put('b', { right: 2, more: [3] })
    expect(a.get('b')).toEqual({ right: 2, more: [3] })
    expect(a.recovery).toEqual(b.recovery)
    expect([...a.range()]).toEqual([...b.range()])
  })

  it.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ])('is closed by the last one, in the order %i %i %i', (...order) => {
    const path = storePath()
    const handles = [0, 1, 2].map(() => opened<number>(path))
    for (const i of order) {
      handles[i]!.putSync(`k${i}`, i)
      handles[i]!.close()
      expect(() => handles[i]!.get('k')).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CLOSED' }))
    }
    const again = opened<number>(path)
    expect(again.recovery.outcome).toBe('clean')
    expect([...again.range()].map(({ value }) => value)).toEqual([0, 1, 2])
  })

  it('makes what a handle has written durable when that is closed', async () => {
    const path = join(scratchDirectory('disk'), 'store')
    const [a, b] = [opened<number>(path), opened<number>(path)]
    const puts = [a.put('a', 1), b.put('b', 2)]
    a.close()
    await Promise.all(puts)
    expect(b.get('a')).toBe(1)
  })

  it('commits of several handles become durable, each by its own promise', async () => {
    const path = join(scratchDirectory('disk'), 'store')
    const handles = [0, 1, 2, 3, 4, 5].map(() => opened<number>(path))
    for (let round = 0; round < 20; round++) {
      await Promise.all(handles.flatMap((db, i) => [db.put(`${i}/${round}`, round), db.put(`${i}/x`, round)]))
    }
    expect(handles[0]!.count()).toBe(6 * 21)
  })

  it('gives back what a handle that is closed had of it', () => {
    const path = storePath()
    const [a, b] = [opened<number>(path), opened<number>(path)]
    for (let i = 0; i < 5_000; i++) a.putSync(`k${i}`, i)
    const snapshot = b.snapshot()
    const entries = b.range()
    entries.next()
    expect(snapshot.get('k1')).toBe(1)
    expect(a.stats().pins.snapshots).toBe(2)
    b.close()
    expect(a.stats().pins.snapshots).toBe(0)
    expect(() => snapshot.get('k1')).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CLOSED' }))
  })

  it('refuses options that are not those of the store, and names them', async () => {
    const path = storePath()
    const db = opened(path)
    const wrong: [OpenOptions, string][] = [
      [{ durability: 'relaxed' }, 'durability'],
      [{ checkpointBytes: '1MiB' }, 'checkpointBytes'],
      [{ autoGrow: { step: '1MiB', max: '8MiB' } }, 'autoGrow'],
      [{ flush: 'clflush' }, 'flush'],
    ]
    for (const [options, option] of wrong) {
      const { message, report } = expectRefusal(await rejectionOf(() => openAsync(path, options)), 'ERR_SEALOG_LOCKED')
      expect(message).toContain(`'${option}'`)
      expect(report).toMatchObject({ option })
      expect(() => open(path, options)).toThrow(message)
    }
    expect(() => open(path, { keys: 'binary' })).toThrow(TypeError)
    expect(() => open(path, { encoding: 'json' })).toThrow(TypeError)
    expect(() => open(path, { errorIfExists: true })).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_EXISTS' }))
    db.putSync('a', 1)
    expect(opened(path).get('a')).toBe(1)
  })

  it('may be read only by one of them, which then sees all', async () => {
    const path = storePath()
    const db = opened<number>(path)
    const reader = opened<number>(path, { readOnly: true })
    db.putSync('a', 1)
    expect(reader.get('a')).toBe(1)
    expect(reader.info.readOnly).toBe(true)
    expect(db.info.readOnly).toBe(false)
    const refused = expect.objectContaining({ code: 'ERR_SEALOG_READONLY' }) as Error
    expect(() => {
      reader.putSync('a', 2)
    }).toThrow(refused)
    expect(() => reader.removeSync('a')).toThrow(refused)
    expect(() => reader.batchSync([{ type: 'put', key: 'a', value: 2 }])).toThrow(refused)
    expect(() => reader.clearSync()).toThrow(refused)
    await expect(reader.put('a', 2)).rejects.toThrow(refused)
    await expect(reader.grow('8MiB')).rejects.toThrow(refused)
    await expect(reader.compact()).rejects.toThrow(refused)
    expect(() => reader.namespace('n')).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_ABSENT' }))
    db.close()
    expect(reader.get('a')).toBe(1)
    reader.close()
    const only = opened<number>(path, { readOnly: true })
    const { report } = expectRefusal(await rejectionOf(() => openAsync(path)), 'ERR_SEALOG_LOCKED')
    expect(report).toEqual({ option: 'readOnly', open: true, asked: false })
    expect(only.get('a')).toBe(1)
  })

  it('learns shapes of objects in one handle and another', () => {
    const path = storePath()
    const handles = [0, 1, 2].map(() => opened<Record<string, number>>(path))
    const shapes = Array.from({ length: 40 }, (_, i) => ({ [`field${i}`]: i, [`other${i % 7}`]: 1 }))
    for (const [i, shape] of shapes.entries()) handles[i % 3]!.putSync(`k${i}`, shape)
    for (const db of handles) {
      for (const [i, shape] of shapes.entries()) expect(db.get(`k${i}`)).toEqual(shape)
    }
    handles[0]!.putSync('nested', { a: shapes[3], b: [shapes[39]] } as never)
    expect(handles[2]!.get('nested')).toEqual({ a: shapes[3], b: [shapes[39]] })
  })

  it('counts together, and conflicts in transactions', async () => {
    const path = storePath()
    const [a, b] = [opened<number>(path), opened<number>(path)]
    for (let i = 0; i < 100; i++) (i % 2 === 0 ? a : b).incrementSync('n')
    expect(b.get('n')).toBe(100)
    const transaction = a.transaction(
      async (tx) => {
        const before = tx.get('n') ?? 0
        await new Promise(setImmediate)
        b.putSync('n', 7)
        tx.put('n', before + 1)
      },
      { retries: 0 },
    )
    expectRefusal(await rejectionOf(() => transaction), 'ERR_SEALOG_CONFLICT')
    expect(a.get('n')).toBe(7)
  })
})

describe('namespaces of a store that is opened twice', () => {
  it('are where another handle has moved them', () => {
    const path = storePath()
    const [a, b] = [opened(path), opened(path)]
    const [mine, yours] = [a.namespace<number>('n'), b.namespace<number>('n')]
    const fill = (): void => {
      for (let i = 0; i < 10; i++) (i % 2 === 0 ? mine : yours).putSync(`k${i}`, i)
    }
    fill()
    expect(yours.count()).toBe(10)
    expect(mine.clearSync()).toBe(10)
    expect(yours.get('k1')).toBeUndefined()
    mine.clearSync()
    expect(yours.count()).toBe(0)
    mine.clearSync()
    expect([...yours.range()]).toEqual([])
    fill()
    expect(mine.count()).toBe(10)
    yours.clearSync()
    mine.batchSync([
      { type: 'put', key: 'a', value: 1 },
      { type: 'put', key: 'b', value: 2 },
    ])
    expect([...yours.keys()]).toEqual(['a', 'b'])
    yours.clearSync()
    const entries = mine.range()
    fill()
    yours.clearSync()
    yours.putSync('c', 3)
    expect([...entries].map(({ key }) => key)).toEqual(['c'])
    yours.clearSync()
    a.transactionSync((tx) => {
      tx.in(mine).put('t', 4)
    })
    expect([...yours.range()]).toEqual([{ key: 't', value: 4 }])
  })

  it('are dropped for all, and made anew by any', () => {
    const path = storePath()
    const [a, b] = [opened(path), opened(path)]
    const mine = a.namespace<number>('n')
    b.namespace<number>('n').putSync('k', 1)
    mine.drop()
    const dropped = expect.objectContaining({ code: 'ERR_SEALOG_CLOSED' }) as Error
    const yours = b.namespace<string>('n', { keys: 'utf8', encoding: 'string' })
    expect(() => mine.get('k')).toThrow(dropped)
    expect(yours.count()).toBe(0)
    yours.putSync('k', 'new')
    expect(a.namespace('n').get('k')).toBe('new')
    yours.drop()
    expect(() => {
      yours.putSync('k', 'lost')
    }).toThrow(dropped)
    expect(a.namespaces()).toEqual([])
  })

  it('learn shapes of objects in one handle and another', () => {
    const path = storePath()
    const handles = [opened(path), opened(path)].map((db) => db.namespace<Record<string, number>>('n'))
    for (let i = 0; i < 30; i++) handles[i % 2]!.putSync(`k${i}`, { [`f${i}`]: i })
    for (const db of handles) for (let i = 0; i < 30; i++) expect(db.get(`k${i}`)).toEqual({ [`f${i}`]: i })
  })
})

describe('a store in several threads', () => {
  it('runs synchronous transactions one after another', async () => {
    const path = storePath()
    const db = opened<number>(path)
    const workers = [0, 1, 2].map((w) =>
      startWorker(
        path,
        `transactions${w}`,
        `const db = open(path)
for (let i = 0; i < 200; i++) {
  db.transactionSync((tx) => {
    tx.put('n', (tx.get('n') ?? 0) + 1)
    tx.put('rows', [...tx.range({ gte: 'row', lt: 'row:' })].length)
    tx.put('row${w}/' + i, 1)
  })
}
db.close()`,
      ),
    )
    const ends = workers.map(ended)
    for (let i = 0; i < 50; i++) {
      db.transactionSync((tx) => {
        tx.put('n', (tx.get('n') ?? 0) + 1)
      })
      await new Promise(setImmediate)
    }
    await Promise.all(ends)
    expect(db.get('n')).toBe(650)
    // The last one has not counted its own row.
    expect(db.get('rows')).toBe(599)
  })

  it('shows in each of four workers what any of them was acknowledged', async () => {
    const path = storePath()
    const db = opened<{ i: number }>(path)
    const workers = [0, 1, 2, 3].map((w) =>
      startWorker(
        path,
        `writer${w}`,
        `
const db = open(path)
for (;;) {
  const { round, expected } = await ask()
  for (const [key, value] of expected) {
    const found = db.get(key)
    if (!(found?.i >= value)) throw new Error(key + ': ' + JSON.stringify(found) + ' instead of ' + value)
  }
  const mine = []
  for (let k = 0; k < 20; k++) {
    const key = 'w${w}/' + k
    const shape = { i: round, ['w${w}r' + (round % 5)]: k }
    if (k % 2 === 0) db.putSync(key, shape)
    else await db.put(key, shape)
    mine.push([key, round])
  }
  db.incrementSync('total', 1)
  parentPort.postMessage(mine)
}`,
      ),
    )
    let expected: [string, number][] = []
    for (let round = 0; round < 30; round++) {
      const answers = workers.map((worker) => told(worker))
      for (const worker of workers) worker.postMessage({ round, expected })
      expected = (await Promise.all(answers)).flat() as [string, number][]
      for (const [key, value] of expected) expect(db.get(key)?.i).toBeGreaterThanOrEqual(value)
    }
    expect(db.get('total')).toBe(120)
    await Promise.all(workers.map((worker) => worker.terminate()))
    db.close()
    const again = opened(path)
    expect(again.recovery.outcome).toBe('clean')
    expect(again.count()).toBe(81)
    expect((await again.verify()).problems).toEqual([])
  })

  it('is created and opened once, by workers that open it at the same moment, with open or openAsync', async () => {
    const path = storePath()
    const workers = [0, 1, 2, 3].map((w) =>
      startWorker(
        path,
        `opener${w}`,
        `
const db = ${w % 2 === 0 ? 'open(path, small)' : 'await openAsync(path, small)'}
db.incrementSync('openers')
parentPort.postMessage('open')
await ask()
db.close()`,
      ),
    )
    await Promise.all(workers.map(told))
    const db = opened(path)
    expect(db.get('openers')).toBe(4)
    db.close()
    const ends = workers.map(ended)
    for (const worker of workers) worker.postMessage('close')
    await Promise.all(ends)
    expect(opened(path).recovery.outcome).toBe('clean')
  })

  // What the opener does until the store has its name: sees it first, or tries to open it all the time.
  it.each([
    ['sees the name', "while (!existsSync(path + i + '.sealog'));"],
    [
      'looks for it again and again',
      `for (let absent = true; absent; ) {
    try {
      open(path + i, { createIfMissing: false }).close()
      absent = false
    } catch (error) {
      if (error.code !== 'ERR_SEALOG_ABSENT') throw error
    }
  }`,
    ],
  ])('is waited for by one that %s, while the thread that creates it has not let go of it', async (_name, wait) => {
    // On a disk that takes as long as it takes to make the name durable.
    const path = join(scratchDirectory('disk'), 'store')
    const body = (first: string): string => `
import { existsSync } from 'node:fs'
for (let i = await ask(); i >= 0; i = await ask()) {
  ${first}
  open(path + i, small).close()
  parentPort.postMessage('opened')
}
parentPort.close()
`
    const creator = startWorker(path, 'creator', body(''))
    const opener = startWorker(path, 'opener', body(wait))
    for (let i = 0; i < 60; i++) {
      const both = [told(opener), told(creator)]
      opener.postMessage(i)
      creator.postMessage(i)
      expect(await Promise.all(both)).toEqual(['opened', 'opened'])
    }
    opener.postMessage(-1)
    creator.postMessage(-1)
    await Promise.all([ended(opener), ended(creator)])
  })

  it('is there for the others when a worker that has it open is terminated, and again for the next', async () => {
    const path = storePath()
    const endings = [
      "for (let i = 0; ; i++) { db.putSync('put' + (i % 100), { i }); if (i % 50 === 0) await new Promise(setImmediate) }",
      "for (let i = 0; ; i++) { await db.put('async' + (i % 100), 'x'.repeat(i % 500)) }",
      'for (;;) { for (const entry of db.range()) void entry; await new Promise(setImmediate) }',
      'for (let i = 0; ; i++) { const other = await openAsync(path); other.putSync("open", i); other.close() }',
      'for (;;) { other.snapshot(); const s = db.snapshot(); s.get("a"); await new Promise(setImmediate) }',
      'for (let i = 0; ; i++) await db.backup(path + "-copy${Math.random()}" + i).catch(() => {})',
      'for (;;) { db.putSync("compact", "x".repeat(500)); await db.compact() }',
      'for (;;) await db.verify()',
    ]
    const db = opened(path, { capacity: '8MiB' })
    for (let terminations = 0; terminations < 3 * endings.length; terminations++) {
      const ending = endings[terminations % endings.length]!
      const worker = startWorker(
        path,
        `ending${terminations % endings.length}`,
        `const db = open(path)
const other = open(path, { readOnly: true })
parentPort.postMessage('open')
${ending}`,
      )
      await told(worker)
      await new Promise((resolve) => setTimeout(resolve, terminations % 7))
      db.putSync('main', terminations)
      await worker.terminate()
      expect(db.get('main')).toBe(terminations)
    }
    expect(db.stats().pins.snapshots).toBe(0)
    expect((await db.verify()).problems).toEqual([])
    db.close()
    expect(opened(path).recovery.outcome).toBe('clean')
  }, 120_000)

  it('is opened anew when all workers that had it, and nobody else, were terminated', async () => {
    const path = storePath()
    for (let round = 0; round < 12; round++) {
      const workers = [0, 1].map((w) =>
        startWorker(
          path,
          `alone${w}`,
          `const db = await openAsync(path, small)
db.incrementSync('opened')
parentPort.postMessage('open')
for (;;) { const next = await openAsync(path, small); next.putSync('k', 1); next.close() }`,
        ),
      )
      await Promise.all(workers.map(told))
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
    expect(opened(path).get('opened')).toBe(24)
  })
})

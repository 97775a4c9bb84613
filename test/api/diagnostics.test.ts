// What is told on the channels of node:diagnostics_channel, when, and how often; and that listening to it breaks nothing.
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { execFileSync } from 'node:child_process'
import { copyFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type CheckpointMessage,
  type CommitMessage,
  open,
  openAsync,
  type OpenMessage,
  type OpenOptions,
  type PoisonMessage,
  type RecoveryMessage,
  type SealBrokenMessage,
  SealogError,
  type Store,
} from '../../src/index.ts'
import { assertBuilt, startChild } from '../support/built.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { punchHole } from '../support/file-range.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

interface Messages {
  open: OpenMessage
  recovery: RecoveryMessage
  commit: CommitMessage
  checkpoint: CheckpointMessage
  'seal-broken': SealBrokenMessage
  poison: PoisonMessage
}

/** What is told on a channel until the test is over. @param then is done with each message, as it comes */
function listen<N extends keyof Messages>(name: N, then?: (message: Messages[N]) => void): Messages[N][] {
  const heard: Messages[N][] = []
  const hear = (message: unknown): void => {
    heard.push(message as Messages[N])
    then?.(message as Messages[N])
  }
  subscribe(`sealog:${name}`, hear)
  onTestFinished(() => {
    unsubscribe(`sealog:${name}`, hear)
  })
  return heard
}

const bytes = { encoding: 'binary', keys: 'binary' } as const
const of = (length: number): Buffer => Buffer.alloc(length, 7)

function storePath(on: 'memory' | 'disk' = 'memory'): string {
  return join(scratchDirectory(on), 'store.sealog')
}

function opened<V = unknown>(path: string, options: OpenOptions<V> = {}): Store<V> {
  const db = open<V>(path, options.readOnly ? options : { ...small, ...options })
  onTestFinished(() => {
    // Poisoned ones say so.
    try {
      db.close()
    } catch (error) {
      if (!(error instanceof SealogError)) throw error
    }
  })
  return db
}

/** A store as a kill would leave it. */
function killed(): string {
  const path = storePath()
  const db = opened(path)
  for (let i = 0; i < 10; i++) db.putSync(i, i)
  const copy = join(dirname(path), 'copy.sealog')
  copyFileSync(path, copy)
  return copy
}

describe('sealog:open', () => {
  it('tells of each open that succeeds: made, joined, read-only', async () => {
    const heard = listen('open')
    const path = storePath()
    const db = opened(path)
    expect(heard).toEqual([
      {
        path,
        durationMs: expect.any(Number) as number,
        readOnly: false,
        created: true,
        shared: false,
        domain: db.persistence,
        seal: db.seal.level,
      },
    ])
    expect(heard[0]?.durationMs).toBeGreaterThanOrEqual(db.recovery.durationMs)
    opened(path)
    expect(heard[1]).toMatchObject({ created: false, shared: true, readOnly: false })
    opened(path, { readOnly: true })
    expect(heard[2]).toMatchObject({ created: false, shared: true, readOnly: true })
    const other = join(dirname(path), 'other.sealog')
    const made = await openAsync(other, small)
    made.close()
    expect(heard[3]).toMatchObject({ path: other, created: true, shared: false })
    const again = await openAsync(other, { readOnly: true })
    again.close()
    expect(heard[4]).toMatchObject({ path: other, created: false, shared: false, readOnly: true })
    expect(heard).toHaveLength(5)
  })

  it('tells of those that fail, with what is thrown', async () => {
    const heard = listen('open')
    const path = storePath()
    const absent = errorOf(() => open(path, { readOnly: true }))
    expect(heard).toEqual([{ path, durationMs: expect.any(Number) as number, readOnly: true, error: absent }])
    expectRefusal(heard[0]?.error, 'ERR_SEALOG_ABSENT')
    const aborted = await rejectionOf(() => openAsync(path, { ...small, signal: AbortSignal.abort() }))
    expect(heard[1]?.error).toBe(aborted)
    writeFileSync(path, 'no store')
    expect(heard[2]?.error).toBe(undefined)
    const none = await rejectionOf(() => openAsync(path, small))
    expect(heard[2]?.error).toBe(none)
    expect(heard).toHaveLength(3)
    // The caller's mistakes are no attempt to open.
    errorOf(() => open(path, { capacity: 1 }))
    expect(heard).toHaveLength(3)
  })

  it('is heard by those that may use the store', () => {
    const path = storePath()
    const counts: number[] = []
    let reopened = false
    listen('open', (message) => {
      if (message.error !== undefined || reopened) return
      reopened = true
      using other = open(path)
      other.putSync('told', 1)
      counts.push(other.count())
    })
    const db = opened(path)
    expect(counts).toEqual([1])
    expect(db.get('told')).toBe(1)
  })
})

describe('sealog:recovery', () => {
  it('tells what an open has replayed, as db.recovery has it', () => {
    const path = killed()
    const heard = listen('recovery')
    const db = opened(path)
    expect(heard).toEqual([{ path, by: 'open', ...db.recovery }])
    expect(heard[0]).toMatchObject({ outcome: 'recovered', usedFallback: false })
    expect(heard[0]?.recordsReplayed).toBeGreaterThanOrEqual(10)
    expect(heard[0]?.bytesReplayed).toBeGreaterThan(100)
    opened(path)
    expect(heard).toHaveLength(1)
    const made = opened(storePath())
    expect(heard[1]).toEqual({ path: made.path, by: 'open', ...made.recovery })
    made.close()
    opened(made.path, { readOnly: true })
    expect(heard[2]).toMatchObject({ path: made.path, outcome: 'clean', recordsReplayed: 0 })
  })

  it('tells what a refresh has found', async () => {
    const path = storePath()
    const child = startChild('told-child.mjs', { path, options: small })
    await child.printed('open')
    const db = opened(path, { readOnly: true })
    const heard = listen('recovery')
    expect(db.refresh() || heard.length === 0).toBe(true)
    child.process.stdin?.write(`${JSON.stringify("db.putSync('a', 1)")}\n`)
    await expect.poll(() => db.refresh() && db.get('a') === 1, { timeout: 5000, interval: 20 }).toBe(true)
    expect(heard.at(-1)).toEqual({ path, by: 'refresh', ...db.recovery })
    const before = heard.length
    expect(db.refresh()).toBe(false)
    expect(heard).toHaveLength(before)
    child.process.stdin?.end()
    await child.ended
  })
})

describe('sealog:commit', () => {
  it('tells of each synchronous write, when it is done', () => {
    const db = opened(storePath(), bytes)
    const heard = listen('commit')
    const key = Buffer.from('abc')
    db.putSync(key, of(10))
    db.putSync(key, of(20), { ifNoExists: false })
    db.putSync(key, of(30), { ttl: 60_000 })
    db.removeSync(key)
    db.batchSync([
      { type: 'put', key, value: of(40), ifNoExists: true },
      { type: 'del', key: of(5) },
    ])
    db.transactionSync((tx) => {
      tx.put(of(2), of(50))
      tx.transactionSync((nested) => {
        nested.put(of(1), of(60))
      })
    })
    db.clearSync({ gte: of(1) })
    expect(heard.map(({ kind, operations, bytes }) => ({ kind, operations, bytes }))).toEqual([
      { kind: 'put', operations: 1, bytes: 13 },
      { kind: 'put', operations: 1, bytes: 23 },
      { kind: 'put', operations: 1, bytes: 33 },
      { kind: 'remove', operations: 1, bytes: 3 },
      { kind: 'batch', operations: 2, bytes: 48 },
      { kind: 'transaction', operations: 2, bytes: 113 },
      { kind: 'clear', operations: 3, bytes: 0 },
    ])
    for (const { path, durationMs } of heard) {
      expect(path).toBe(db.path)
      expect(durationMs).toBeGreaterThan(0)
      expect(durationMs).toBeLessThan(5000)
    }
  })

  it('counts what the key and value are encoded as, and tells of increments', () => {
    const db = opened(storePath())
    const heard = listen('commit')
    db.putSync('é', 'x')
    db.putSync('\u0001', 'x')
    db.incrementSync('n', 5)
    db.incrementSync('n')
    expect(heard.map(({ kind, operations }) => [kind, operations])).toEqual([
      ['put', 1],
      ['put', 1],
      ['increment', 1],
      ['increment', 1],
    ])
    expect(heard[0]?.bytes).toBeGreaterThanOrEqual(4)
    expect(heard[0]?.bytes).toBeLessThan(8)
  })

  it('tells of no write that has changed nothing', async () => {
    const db = opened(storePath(), bytes)
    db.putSync(of(1), of(1))
    const heard = listen('commit')
    expect(db.removeSync(of(9))).toBe(false)
    expect(db.putSync(of(1), of(1), { ifNoExists: true })).toBe(false)
    db.batchSync([])
    db.transactionSync((tx) => tx.remove(of(9)))
    db.clearSync({ gt: of(20) })
    expect(await db.remove(of(9))).toBe(false)
    await db.flush()
    errorOf(() => {
      db.transactionSync((tx) => {
        tx.put(of(3), of(3))
        throw new Error('rolled back')
      })
    })
    errorOf(() => {
      db.putSync(of(3000), of(1))
    })
    expect(heard).toEqual([])
  })

  it.each(['memory', 'disk'] as const)('tells of a group as one, in/on the %s', async (on) => {
    const db = opened(storePath(on), bytes)
    const heard = listen('commit')
    const done = Promise.all([
      db.put(of(1), of(10)),
      db.put(of(2), of(10), { ttl: 60_000 }),
      db.batch([
        { type: 'put', key: of(3), value: of(10) },
        { type: 'put', key: of(4), value: of(10) },
      ]),
      db.remove(of(1)),
    ])
    expect(heard).toEqual([])
    await done
    expect(heard).toEqual([
      { path: db.path, kind: 'group', operations: 5, bytes: 51, durationMs: expect.any(Number) as number },
    ])
    await db.transaction((tx) => {
      tx.put(of(5), of(10))
    })
    await db.putStream(of(6), [of(100_000), of(100_000)])
    expect(heard.slice(1).map(({ kind, operations, bytes }) => [kind, operations, bytes])).toEqual([
      ['group', 1, 15],
      ['group', 1, 200_006],
    ])
    expect(await db.clear()).toBe(5)
    expect(heard[3]).toMatchObject({ kind: 'group', operations: 5, bytes: 0 })
  })

  it('tells of what close makes durable', () => {
    const db = opened(storePath(), bytes)
    const heard = listen('commit')
    void db.put(of(1), of(10))
    db.close()
    expect(heard.map(({ kind, operations, bytes }) => [kind, operations, bytes])).toEqual([['group', 1, 11]])
  })

  it('tells of namespaces: their keys without what is before them, and the list of them by itself', async () => {
    const db = opened(storePath(), bytes)
    const heard = listen('commit')
    const told = (): unknown[] => heard.splice(0).map(({ kind, operations, bytes }) => [kind, operations, bytes])
    const ns = db.namespace<Buffer, Buffer>('one', { ...bytes, ttl: 60_000 })
    expect(told()).toEqual([])
    await Promise.resolve()
    expect(told()).toEqual([['system', 2, expect.any(Number)]])
    ns.putSync(of(2), of(10))
    ns.batchSync([{ type: 'del', key: of(2) }])
    db.transactionSync((tx) => {
      tx.in(ns).put(of(3), of(10))
      tx.put(of(4), of(10))
    })
    expect(told()).toEqual([
      ['put', 1, 12],
      ['batch', 1, 2],
      ['transaction', 2, 27],
    ])
    expect(ns.clearSync()).toBe(1)
    ns.drop()
    await Promise.resolve()
    expect(told().map((each) => (each as unknown[])[0])).toEqual(['system', 'system'])
    // What they had is removed in the background.
    await expect.poll(told, { timeout: 3000 }).toEqual([['group', 1, 0]])
  })

  it('lets a subscriber write, which is not told of what it writes meanwhile', async () => {
    const db = opened(storePath())
    const log = opened(storePath())
    let n = 0
    const heard = listen('commit', (message) => {
      db.putSync(['log', n++], { kind: message.kind, shape: n })
      db.transactionSync((tx) => tx.increment('told'))
      void db.put('async', n)
      log.putSync(n, message.kind)
    })
    db.putSync('a', { some: 'shape' })
    db.batchSync([{ type: 'put', key: 'b', value: { other: 'shape' } }])
    db.transactionSync((tx) => {
      tx.put('c', { third: 'shape' })
    })
    db.removeSync('a')
    await db.put('d', 1)
    await db.flush()
    expect(heard.map(({ kind, operations }) => [kind, operations])).toEqual([
      ['put', 1],
      ['batch', 1],
      ['transaction', 1],
      ['remove', 1],
      ['group', 1],
    ])
    expect(db.get('told')).toBe(5)
    expect([...db.range({ prefix: ['log'] })].map(({ value }) => (value as { kind: string }).kind)).toEqual([
      'put',
      'batch',
      'transaction',
      'remove',
      'group',
    ])
    expect(log.count()).toBe(5)
    expect([db.get('a'), db.get('b'), db.get('c')]).toEqual([undefined, { other: 'shape' }, { third: 'shape' }])
    expect((await db.verify()).problems).toEqual([])
  })

  it('tells of a transaction when the store is free again: it can be opened once more', () => {
    const db = opened(storePath())
    const seen: unknown[] = []
    const heard = listen('commit', () => {
      const other = open(db.path, small)
      seen.push(other.transactionSync((tx) => tx.get('a')))
      other.close()
    })
    db.transactionSync((tx) => {
      tx.put('a', 1)
    })
    expect(heard).toHaveLength(1)
    expect(seen).toEqual([1])
  })

  it('tells of what a subscriber writes later', async () => {
    const db = opened(storePath())
    const kinds: string[] = []
    listen('commit', ({ kind }) => {
      kinds.push(kind)
      if (kinds.length < 3) {
        queueMicrotask(() => {
          db.putSync(kinds.length, kind)
        })
      }
    })
    db.putSync('a', 1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(kinds).toEqual(['put', 'put', 'put'])
  })
})

describe('sealog:checkpoint', () => {
  const total = (heard: readonly CheckpointMessage[], of: 'count' | 'bytes' | 'durationMs'): number =>
    heard.reduce((sum, message) => sum + message[of], 0)

  it('tells of every one, within a run of synchronous writes too', async () => {
    const path = storePath()
    const heard = listen('checkpoint')
    const db = opened(path, { ...bytes, checkpointBytes: '64KiB' })
    const until = performance.now() + 350
    for (let i = 0; performance.now() < until; i++) db.putSync(Buffer.from(String(i % 500)), of(100))
    expect(heard.length).toBeGreaterThanOrEqual(2)
    // One more may come at any time, until nothing is written.
    const missing = () => {
      const { count, bytes: all, durationMs, sequence } = db.stats().checkpoints
      const ms = Math.round(1e6 * (durationMs - total(heard, 'durationMs')))
      return [count - total(heard, 'count'), all - total(heard, 'bytes'), ms, sequence - (heard.at(-1)?.sequence ?? 0)]
    }
    await expect.poll(missing, { timeout: 4000 }).toEqual([0, 0, 0, 0])
    expect(total(heard, 'bytes')).toBeGreaterThan(0)
    expect(heard.every((message) => message.path === path && message.durationMs > 0)).toBe(true)
    const sequences = heard.map(({ sequence }) => sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
  })

  it('tells of the one that comes when nothing is written any more', async () => {
    const db = opened(storePath())
    const heard = listen('checkpoint')
    await db.put('a', 1)
    const before = db.stats().checkpoints.count
    heard.length = 0
    await expect.poll(() => heard, { timeout: 5000 }).toHaveLength(1)
    expect(db.stats().checkpoints.count).toBe(before + 1)
    expect(heard[0]).toMatchObject({ count: 1, sequence: db.stats().checkpoints.sequence })
  })

  it('tells of the one that close takes, also to those who came late', () => {
    const path = storePath()
    const db = opened(path)
    db.putSync('a', 1)
    const { sequence } = db.stats().checkpoints
    const heard = listen('checkpoint')
    db.close()
    expect(heard).toEqual([
      {
        path,
        sequence: sequence + 1,
        count: 1,
        durationMs: expect.any(Number) as number,
        bytes: expect.any(Number) as number,
      },
    ])
  })

  it('tells of each once, whatever handles a thread has', async () => {
    const path = storePath()
    const heard = listen('checkpoint')
    const [a, b] = [opened(path), opened(path)]
    a.putSync('a', 1)
    b.putSync('b', 1)
    await expect.poll(() => heard.at(-1)?.sequence, { timeout: 5000 }).toBe(a.stats().checkpoints.sequence)
    a.close()
    b.putSync('c', 1)
    const { count } = b.stats().checkpoints
    b.close()
    expect(total(heard, 'count')).toBe(count + 1)
  })

  it('tells nothing that was before the subscription', () => {
    const db = opened(storePath(), { ...bytes, checkpointBytes: '64KiB' })
    for (let i = 0; i < 3000; i++) db.putSync(of(9), of(100))
    expect(db.stats().checkpoints.count).toBeGreaterThan(1)
    const heard = listen('checkpoint')
    db.putSync(of(1), of(1))
    expect(total(heard, 'count')).toBeLessThanOrEqual(1)
  })
})

describe('sealog:seal-broken', () => {
  const hole = { offset: 2 ** 20, bytes: 64 * 1024 }

  function punched(): string {
    const path = storePath()
    const db = open(path, small)
    expect(db.seal.level).toBe('allocated')
    db.putSync('a', 1)
    db.close()
    punchHole(path, hole.offset, hole.bytes)
    return path
  }

  it('tells what an open has found, and what came of it', () => {
    const path = punched()
    const heard = listen('seal-broken')
    const readOnly = opened(path, { readOnly: true })
    const message = { path, by: 'open', from: 'allocated', to: 'sparse', reasons: ['65536 bytes are holes'] } as const
    expect(heard).toEqual([{ ...message, verified: 'unverified' }])
    // Who joins finds nothing.
    opened(path, { readOnly: true }).close()
    readOnly.close()
    expect(heard).toHaveLength(1)
    const db = opened(path)
    expect(heard.slice(1)).toEqual([{ ...message, verified: 'repaired' }])
    expect(db.seal.level).toBe('allocated')
    db.close()
    opened(path)
    expect(heard).toHaveLength(2)
  })

  it('tells what growth has found, once', async () => {
    const db = opened(storePath())
    const heard = listen('seal-broken')
    await db.grow('5MiB')
    expect(db.seal.level).toBe('allocated')
    expect(heard).toEqual([])
    // Of the last segments, where nothing is.
    punchHole(db.path, statSync(db.path).size - hole.bytes, hole.bytes)
    await db.grow('6MiB')
    expect(heard).toEqual([
      {
        path: db.path,
        by: 'growth',
        from: 'allocated',
        to: 'sparse',
        reasons: ['65536 bytes are holes'],
        verified: 'unverified',
      },
    ])
    expect(db.seal.level).toBe('sparse')
    expect(heard).toHaveLength(1)
  })
})

describe('sealog:poison', () => {
  /** No file of this process may have more than 4 KiB written behind, while this runs. */
  function withFullFiles<T>(work: () => T): T {
    const limit = (bytes: string): void => {
      execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])
    }
    limit('4096')
    try {
      return work()
    } finally {
      limit('unlimited')
    }
  }

  it('tells of the first durable write that fails, once, with its cause', async () => {
    const path = storePath('disk')
    const [db, other] = [opened(path), opened(path)]
    if (db.persistence !== 'disk') return
    const heard = listen('poison')
    db.putSync('a', 1)
    expect(heard).toEqual([])
    const error = withFullFiles(() =>
      errorOf(() => {
        db.putSync('b', 1)
      }),
    )
    expectRefusal(error, 'ERR_SEALOG_POISONED')
    expect(heard).toHaveLength(1)
    expect(heard[0]?.path).toBe(path)
    const cause = expectRefusal(heard[0]?.error, 'ERR_SEALOG_POISONED').cause
    expect(cause).toMatchObject({ code: 'ERR_SEALOG_IO', syscall: expect.stringContaining('write') as string })
    for (const handle of [db, other]) {
      expectRefusal(
        errorOf(() => {
          handle.putSync('c', 1)
        }),
        'ERR_SEALOG_POISONED',
      )
    }
    expectRefusal(await rejectionOf(() => other.verify()), 'ERR_SEALOG_POISONED')
    expect(heard).toHaveLength(1)
    expect(db.get('a')).toBe(1)
    for (const handle of [db, other])
      errorOf(() => {
        handle.close()
      })
    expect(heard).toHaveLength(1)

    // Opened anew it can be poisoned anew.
    const again = opened(path)
    again.putSync('d', 1)
    withFullFiles(() =>
      errorOf(() => {
        again.putSync('e', 1)
      }),
    )
    expect(heard).toHaveLength(2)
  })

  it('tells of it when close finds it', () => {
    const db = opened(storePath('disk'))
    if (db.persistence !== 'disk') return
    const heard = listen('poison')
    db.put('a', 1).catch(() => undefined)
    const error = withFullFiles(() =>
      errorOf(() => {
        db.close()
      }),
    )
    expect(error).toBeInstanceOf(SealogError)
    expect(heard).toHaveLength(1)
    expectRefusal(heard[0]?.error, 'ERR_SEALOG_POISONED')
    expect(heard[0]?.error.cause ?? heard[0]?.error).toBeInstanceOf(SealogError)
  })

  it('tells of a file that was cut off, when a write meets that', () => {
    // It has nothing yet, so that the first thing it meets is the end of its log.
    const db = opened(storePath())
    const heard = listen('poison')
    truncateSync(db.path, 4096)
    expectRefusal(
      errorOf(() => {
        db.putSync('b', 1)
      }),
      'ERR_SEALOG_MEDIA',
    )
    expect(heard.map(({ error }) => (error.cause as SealogError).code)).toEqual(['ERR_SEALOG_MEDIA'])
  })

  it('tells nothing of other refusals', () => {
    const db = opened(storePath())
    const heard = listen('poison')
    errorOf(() => {
      db.putSync('k'.repeat(3000), 1)
    })
    using reader = opened(db.path, { readOnly: true })
    errorOf(() => {
      reader.putSync('a', 1)
    })
    expect(heard).toEqual([])
  })
})

describe('A thread', () => {
  it('hears of its own handles only, and of an open that is shared as such', async () => {
    assertBuilt()
    const path = storePath()
    const commits = listen('commit')
    const recoveries = listen('recovery')
    const db = opened(path)
    expect(recoveries).toHaveLength(1)
    const file = join(dirname(path), 'worker.mjs')
    const addon = new URL('../../dist/index.js', import.meta.url).href
    writeFileSync(
      file,
      `import { subscribe } from 'node:diagnostics_channel'
import { parentPort } from 'node:worker_threads'
const heard = []
for (const name of ['open', 'recovery', 'commit', 'checkpoint']) subscribe('sealog:' + name, (message) => heard.push([name, message.kind ?? message.shared ?? message.count]))
const { open } = await import(${JSON.stringify(addon)})
const db = open(${JSON.stringify(path)}, ${JSON.stringify(small)})
db.putSync('worker', 1)
await db.put('worker', 2)
db.close()
parentPort.postMessage(heard)
`,
    )
    const worker = new Worker(file)
    onTestFinished(async () => {
      await worker.terminate()
    })
    const heard = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    expect((heard as unknown[][]).filter(([name]) => name !== 'checkpoint')).toEqual([
      ['open', true],
      ['commit', 'put'],
      ['commit', 'group'],
    ])
    expect(commits).toEqual([])
    expect(recoveries).toHaveLength(1)
    expect(db.get('worker')).toBe(2)
    db.putSync('main', 1)
    expect(commits).toHaveLength(1)
  })
})

describe('A subscriber that throws', () => {
  it('breaks nothing: the process is told of it', async () => {
    const child = startChild('throwing-child.mjs', { path: storePath(), options: small })
    const { code, stdout, stderr } = await child.ended
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const said = JSON.parse(stdout) as { keys: string[]; kept: number; heard: string[]; uncaught: string[] }
    expect(said.keys).toEqual(['b', 'c', 'd', 'e'])
    expect(said.kept).toBe(4)
    expect(said.heard).toEqual(['put', 'batch', 'transaction', 'group', 'group', 'remove'])
    expect(said.uncaught.filter((name) => name === 'commit')).toHaveLength(6)
    expect(said.uncaught.filter((name) => name === 'open')).toHaveLength(2)
    expect(said.uncaught).toContain('checkpoint')
  })
})

describe('While nobody listens', () => {
  it('no clock is read for a write, and nothing is counted', () => {
    const db = opened(storePath(), bytes)
    expect(channel('sealog:commit').hasSubscribers).toBe(false)
    const now = vi.spyOn(performance, 'now')
    onTestFinished(() => {
      now.mockRestore()
    })
    const write = (): void => {
      db.putSync(of(1), of(1))
      db.removeSync(of(1))
      db.batchSync([{ type: 'put', key: of(2), value: of(2) }])
      db.transactionSync((tx) => {
        tx.put(of(3), of(3))
      })
      db.clearSync({ gt: of(3) })
    }
    write()
    expect(now).not.toHaveBeenCalled()
    listen('commit')
    write()
    expect(now).toHaveBeenCalled()
  })
})

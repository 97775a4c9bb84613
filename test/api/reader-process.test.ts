// A store that is read in one process while another one writes it. The writer is a child, told what to do.
import { chmodSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Key, open, openAsync, type Store } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { errorOf, expectRefusal } from '../support/expect.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

interface Writer {
  /** Runs this with `db`, and resolves behind it. */
  run(code: string): Promise<void>
  end(): Promise<void>
  kill(): Promise<void>
}

async function startWriter(path: string): Promise<Writer> {
  const child = startChild('told-child.mjs', { path, options: small })
  await child.printed('open')
  let commands = 0
  const ended = async (): Promise<void> => {
    await child.ended
  }
  return {
    run: async (code) => {
      const done = child.printed(`done ${++commands}\n`)
      child.process.stdin?.write(`${JSON.stringify(code)}\n`)
      await done
    },
    end: () => {
      child.process.stdin?.end()
      return ended()
    },
    kill: () => {
      child.process.kill('SIGKILL')
      return ended()
    },
  }
}

function read(path: string): Store {
  const db = open(path, { readOnly: true })
  onTestFinished(() => {
    db.close()
  })
  return db
}

/** Until the reader sees it: the writer takes a checkpoint for its readers within a second, then ten in a second. */
async function refreshed(db: Store, key: Key, value: unknown): Promise<void> {
  await expect
    .poll(
      () => {
        db.refresh()
        return db.get(key)
      },
      { timeout: 5000, interval: 20 },
    )
    .toEqual(value)
}

/** A reader that has seen `a` as 1, where it is 2 by now. */
async function behindByOne(path: string): Promise<{ writer: Writer; db: Store }> {
  const writer = await startWriter(path)
  await writer.run(`db.putSync('a', 1)`)
  const db = read(path)
  await refreshed(db, 'a', 1)
  await writer.run(`db.putSync('a', 2)`)
  return { writer, db }
}

function storePath(): string {
  return join(scratchDirectory(), 'store')
}

describe('A reader beside a writer in another process', () => {
  it('sees what was written when it refreshes, and not before', async () => {
    const path = storePath()
    const writer = await startWriter(path)
    await writer.run(`db.putSync('a', 1)`)
    const db = read(path)
    expect(db.info).toMatchObject({ readOnly: true, besideWriter: true })
    await refreshed(db, 'a', 1)
    expect(db.refresh()).toBe(false)
    await writer.run(`db.putSync('a', 2); db.putSync('b', 1)`)
    expect(db.get('a')).toBe(1)
    await refreshed(db, 'b', 1)
    expect(db.get('a')).toBe(2)
    expectRefusal(
      errorOf(() => {
        db.putSync('a', 3)
      }),
      'ERR_SEALOG_READONLY',
    )
    await writer.end()
  })

  it('keeps snapshots and iterators where they are', async () => {
    const path = storePath()
    const writer = await startWriter(path)
    await writer.run(`for (let i = 0; i < 300; i++) db.putSync(i, 'old')`)
    const db = read(path)
    await refreshed(db, 299, 'old')
    using snapshot = db.snapshot()
    const iterator = db.range()
    const first = [iterator.next().value, iterator.next().value]
    for (const round of [1, 2, 3]) {
      await writer.run(`for (let i = 0; i < 300; i++) db.putSync(i, 'new${round}')`)
      await refreshed(db, 299, `new${round}`)
      expect(snapshot.get(7)).toBe('old')
      expect(snapshot.count()).toBe(300)
    }
    const values = [...first, ...iterator].map((entry) => entry?.value)
    expect(values).toEqual(Array.from({ length: 300 }, () => 'old'))
    expect(snapshot.view(7, (bytes) => bytes.length)).toBeGreaterThan(0)
    expect(db.get(7)).toBe('new3')
    await writer.end()
  })

  it('sees namespaces that were made, cleared and dropped', async () => {
    const path = storePath()
    const writer = await startWriter(path)
    await writer.run(`db.namespace('n').putSync('a', { x: 1, y: 2 }); db.putSync('step', 1)`)
    const db = read(path)
    await refreshed(db, 'step', 1)
    const space = db.namespace('n')
    expect(space.get('a')).toEqual({ x: 1, y: 2 })
    await writer.run(`await db.namespace('n').clear(); db.namespace('m').putSync('b', 1); db.putSync('step', 2)`)
    await refreshed(db, 'step', 2)
    expect(space.count()).toBe(0)
    expect(db.namespaces()).toEqual(['m', 'n'])
    await writer.end()
  })

  it('reads what a writer left that was killed, and lets the next one in', async () => {
    const path = storePath()
    const { writer: first, db } = await behindByOne(path)
    await first.kill()
    expect(db.refresh()).toBe(true)
    expect(db.get('a')).toBe(2)
    const second = await startWriter(path)
    expect(db.get('a')).toBe(2)
    await second.run(`db.putSync('a', 3)`)
    await refreshed(db, 'a', 3)
    await second.end()
    const here = await openAsync(path, { waitMs: 5000 }).catch((error: unknown) => error)
    expectRefusal(here, 'ERR_SEALOG_LOCKED') // it is open read-only in this process
  })

  it('that has fallen behind keeps the next writer out, until it refreshes', async () => {
    const path = storePath()
    const { writer: first, db } = await behindByOne(path)
    await first.end()
    const child = startChild('open-child.mjs', { path })
    await child.printed('ERR_SEALOG_LOCKED')
    await child.printed(`by process ${process.pid} (`)
    expect(db.get('a')).toBe(1)
    expect(db.refresh()).toBe(true)
    expect(db.get('a')).toBe(2)
    const next = startChild('open-child.mjs', { path })
    await next.printed('"opened":1')
    await next.ended
  })

  it('is verified and copied as any other', async () => {
    const path = storePath()
    const writer = await startWriter(path)
    await writer.run(`for (let i = 0; i < 300; i++) db.putSync(i, 'v'.repeat(i))`)
    const db = read(path)
    await refreshed(db, 299, 'v'.repeat(299))
    await writer.run(`for (let i = 0; i < 3000; i++) db.putSync(i % 300, 'w'.repeat(500))`)
    expect(await db.verify()).toMatchObject({ ok: true, problems: [] })
    const copy = join(dirname(path), 'copy')
    await db.backup(copy)
    const copied = open(copy)
    expect([...copied.range()]).toEqual([...db.range()])
    copied.close()
    await writer.end()
  })

  it.skipIf(process.getuid?.() !== 0)('needs no permission but to read', async () => {
    const path = storePath()
    const writer = await startWriter(path)
    await writer.run(`db.putSync('a', 1)`)
    await writer.run(`await new Promise((resolve) => setTimeout(resolve, 2500))`)
    for (let each = dirname(path); each.startsWith(`${dirname(scratchDirectory())}/`); each = dirname(each))
      chmodSync(each, 0o755)
    chmodSync(`${path}.sealog`, 0o444)
    const child = startChild('open-child.mjs', { path, options: { readOnly: true }, uid: 65_534 })
    await child.printed('"opened":1')
    await child.ended
    await writer.end()
  })
})

describe('A writer beside reader processes', () => {
  it('tells what they pin: how many older checkpoints, and the oldest', async () => {
    const path = storePath()
    const db = open(path, small)
    onTestFinished(() => {
      db.close()
    })
    db.putSync('a', 1)
    expect(db.stats().pins.readers).toEqual({ checkpoints: 0, oldest: 0 })
    const before = db.stats().checkpoints.sequence
    const reader = startChild('open-child.mjs', { path, options: { readOnly: true }, keep: true })
    await reader.printed('opened')
    const { sequence } = db.stats().checkpoints
    const pinned = (): { checkpoints: number; oldest: number } => {
      db.putSync('a', Math.random())
      return db.stats().pins.readers
    }
    // The two newest are kept anyway.
    await expect.poll(() => pinned().checkpoints, { timeout: 5000, interval: 50 }).toBe(1)
    const { oldest } = pinned()
    expect(oldest).toBeGreaterThanOrEqual(before)
    expect(oldest).toBeLessThanOrEqual(sequence)
    const second = startChild('open-child.mjs', { path, options: { readOnly: true }, keep: true })
    await second.printed('opened')
    await expect.poll(pinned, { timeout: 5000, interval: 50 }).toEqual({ checkpoints: 2, oldest })
    for (const child of [reader, second]) {
      child.process.stdin?.end()
      await child.ended
    }
    await expect.poll(() => db.stats().pins.readers, { timeout: 5000 }).toEqual({ checkpoints: 0, oldest: 0 })
    expect(db.stats().checkpoints.sequence).toBeGreaterThan(sequence)
  })
})

// The pins of a reader: locks on single bytes far behind the file's end, one for each checkpoint that it still reads. What it forgets to
// give back keeps the writer's space, and the next writer out, for as long as the process lives.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { open, type Store } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

const firstPin = 2n ** 62n

/** Checkpoints of the store that this process has pinned, as the kernel says, ascending. */
function pinned(path: string): number[] {
  const { ino } = statSync(`${path}.sealog`)
  const folder = '/proc/self/fdinfo'
  const texts = readdirSync(folder).map((descriptor) => {
    try {
      return readFileSync(join(folder, descriptor), 'utf8')
    } catch {
      return '' // the one that the directory was read with
    }
  })
  // lock: 1: OFDLCK ADVISORY READ -1 fe:00:INODE FIRST LAST
  const locks = texts.join('\n').matchAll(/^lock:.*OFDLCK\s.*:(\d+) (\d+) (\d+)$/gm)
  return [...locks]
    .filter(([, inode, first]) => Number(inode) === ino && BigInt(first!) >= firstPin)
    .map(([, , first]) => Number(BigInt(first!) - firstPin))
    .sort((a, b) => a - b)
}

interface Writing {
  readonly path: string
  /** In the writer, with `db`. */
  readonly run: (code: string) => Promise<void>
  readonly write: (value: number) => Promise<void>
  readonly end: () => Promise<void>
}

async function writing(): Promise<Writing> {
  const path = join(scratchDirectory(), 'store')
  const child = startChild('told-child.mjs', { path, options: small })
  await child.printed('open')
  let commands = 0
  const run = async (code: string): Promise<void> => {
    const done = child.printed(`done ${++commands}\n`)
    child.process.stdin?.write(`${JSON.stringify(code)}\n`)
    await done
  }
  await run(`db.putSync('a', 0)`)
  return {
    path,
    run,
    write: (value) => run(`db.putSync('a', ${value})`),
    end: async () => {
      child.process.stdin?.end()
      await child.ended
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

async function refreshed(db: Store, value: number): Promise<void> {
  await expect
    .poll(
      () => {
        db.refresh()
        return db.get('a')
      },
      { timeout: 5000, interval: 20 },
    )
    .toBe(value)
}

describe('What a reader process has pinned', () => {
  it('is one checkpoint, the one that it is at, over any number of refreshes', async () => {
    const { path, write, end } = await writing()
    const db = read(path)
    const seen = new Set(pinned(path))
    expect(seen.size).toBe(1)
    for (const value of [1, 2, 3]) {
      await write(value)
      await refreshed(db, value)
      const now = pinned(path)
      expect(now).toHaveLength(1)
      seen.add(now[0]!)
    }
    expect(seen.size).toBeGreaterThanOrEqual(4)
    await end()
  })

  it('stays for a snapshot of an older state, until that is released', async () => {
    const { path, write, end } = await writing()
    const db = read(path)
    await refreshed(db, 0)
    const [first] = pinned(path)
    const snapshots = [db.snapshot(), db.snapshot()]
    await write(1)
    await refreshed(db, 1)
    const between = db.snapshot()
    const [, second] = pinned(path)
    await write(2)
    await refreshed(db, 2)
    expect(pinned(path)).toEqual([first, second, expect.any(Number)])
    snapshots[1]!.release()
    expect(pinned(path)).toHaveLength(3)
    expect(snapshots[0]!.get('a')).toBe(0)
    snapshots[0]!.release()
    expect(pinned(path)).toEqual([second, expect.any(Number)])
    expect(between.get('a')).toBe(1)
    between.release()
    expect(pinned(path)).toHaveLength(1)
    await end()
  })

  it('stays for an iterator of an older state, until that ends', async () => {
    const { path, run, write, end } = await writing()
    // More than an iterator takes at once.
    await run(`for (let i = 0; i < 3000; i++) db.putSync(i, 'x'.repeat(100))`)
    await write(1)
    const db = read(path)
    await refreshed(db, 1)
    const iterator = db.range()
    iterator.next()
    await write(2)
    await refreshed(db, 2)
    expect(pinned(path)).toHaveLength(2)
    iterator.return()
    expect(pinned(path)).toHaveLength(1)
    await end()
  })

  it('stays for the other handles of the process, until they refresh or close', async () => {
    const { path, write, end } = await writing()
    const [one, two, three] = [read(path), read(path), read(path)]
    expect(pinned(path)).toHaveLength(1)
    await write(1)
    await refreshed(one, 1)
    expect(pinned(path)).toHaveLength(2)
    two.close()
    expect(pinned(path)).toHaveLength(2)
    three.close()
    expect(pinned(path)).toHaveLength(1)
    one.close()
    expect(pinned(path)).toEqual([])
    await end()
  })

  it('goes when it is closed, with snapshots of older states that were not released', async () => {
    const { path, write, end } = await writing()
    const db = read(path)
    await refreshed(db, 0)
    db.snapshot()
    await write(1)
    await refreshed(db, 1)
    db.snapshot()
    expect(pinned(path)).toHaveLength(2)
    db.close()
    expect(pinned(path)).toEqual([])
    await end()
    // Nobody is in the way of the next writer.
    open(path).close()
  })
})

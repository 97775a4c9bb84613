// A store that another process has open: who has it, and waiting for it.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { check, loadEngine } from '../../src/engine/engine.ts'
import { open, openAsync } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { errorOf, expectRefusal, rejectionOf } from '../support/expect.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

function storePath(): string {
  const path = join(scratchDirectory(), 'store')
  const db = open(path, small)
  db.putSync('a', 1)
  db.close()
  return path
}

async function heldElsewhere(path: string) {
  const child = startChild('open-child.mjs', { path, keep: true })
  await child.printed('"opened":1')
  return child
}

async function release(child: Awaited<ReturnType<typeof heldElsewhere>>): Promise<void> {
  child.process.stdin?.end()
  expect(await child.ended).toMatchObject({ code: 0, stderr: '' })
}

/** A reader of another process that recovers the store, or looks at it only: `end` gives the lock back that it has for that time. */
function reading(path: string): { end: () => void } {
  const engine = loadEngine()
  const options = {
    readOnly: true,
    durability: 0,
    requireDomain: 0,
    flush: '',
    reserveBytes: 0,
    unshared: true,
  } as const
  const handle = check(engine, engine.openRegion(`${path}.sealog`, options))
  return { end: () => engine.closeRegion(handle) }
}

/** Turns of the event loop while that is awaited. */
async function turnsOf(promise: Promise<unknown>): Promise<number> {
  let turns = 0
  let over = false
  const count = (): void => {
    turns++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  await Promise.allSettled([promise])
  over = true
  return turns
}

describe('A store that is being read', () => {
  it('for a moment is waited for by a writer without waitMs, which leaves the event loop free', async () => {
    const path = storePath()
    const reader = reading(path)
    const opening = openAsync(path)
    let ended = false
    // Not by time: so many turns of the event loop, which it has to leave us.
    const end = (turns: number): void => {
      if (turns > 0) {
        setImmediate(end, turns - 1)
        return
      }
      ended = true
      reader.end()
    }
    end(20)
    const db = await opening
    expect(ended).toBe(true)
    expect(db.get('a')).toBe(1)
    db.close()
  })

  it('for longer keeps a writer out, in openAsync with turns of the event loop all the while', async () => {
    const path = storePath()
    const reader = reading(path)
    const opening = rejectionOf(() => openAsync(path))
    expect(await turnsOf(opening)).toBeGreaterThan(20)
    for (const error of [await opening, errorOf(() => open(path))]) {
      const { report } = expectRefusal(error, 'ERR_SEALOG_LOCKED')
      expect(report).toEqual({ holder: expect.objectContaining({ pid: process.pid, exclusive: false }) as unknown })
    }
    reader.end()
    open(path).close()
  })
})

describe('A store that another process has', () => {
  it('names that process', async () => {
    const path = storePath()
    const child = await heldElsewhere(path)
    const pid = child.process.pid
    for (const error of [errorOf(() => open(path)), await rejectionOf(() => openAsync(path))]) {
      const { message, report } = expectRefusal(error, 'ERR_SEALOG_LOCKED')
      expect(report).toEqual({ holder: { pid, command: expect.stringMatching(/./) as string, exclusive: true } })
      expect(message).toContain(`by process ${pid} (`)
      expect(message).toContain(', for writing;')
    }
    await release(child)
    open(path).close()
  })

  it('is refused at once without waitMs, and by waitMs after that time', async () => {
    const path = storePath()
    const child = await heldElsewhere(path)
    const took = async (run: () => unknown): Promise<number> => {
      const startedMs = performance.now()
      expectRefusal(await rejectionOf(async () => await run()), 'ERR_SEALOG_LOCKED')
      return performance.now() - startedMs
    }
    for (const run of [open, openAsync]) {
      expect(await took(() => run(path, { waitMs: 300 }))).toBeGreaterThanOrEqual(299)
    }
    // Looking for the holder takes up to 100 ms.
    for (const run of [open, openAsync]) expect(await took(() => run(path))).toBeLessThan(290)
    await release(child)
  })

  it('is waited for by openAsync, which leaves the event loop free', async () => {
    const path = storePath()
    const child = await heldElsewhere(path)
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    const opening = openAsync(path, { waitMs: 60_000 })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(turns).toBeGreaterThan(10)
    child.process.kill('SIGKILL')
    const db = await opening
    clearInterval(timer)
    expect(db.get('a')).toBe(1)
    db.close()
  })

  it('is waited for by open', async () => {
    const path = storePath()
    const child = startChild('open-child.mjs', { path, keepMs: 400 })
    await child.printed('"opened":1')
    const db = open(path, { waitMs: 60_000 })
    expect(db.get('a')).toBe(1)
    db.close()
    await child.ended
  })

  it('is not waited for any more when the signal says so', async () => {
    const path = storePath()
    const child = await heldElsewhere(path)
    const reason = new Error('enough')
    const controller = new AbortController()
    const opening = rejectionOf(() => openAsync(path, { waitMs: 60_000, signal: controller.signal }))
    setTimeout(() => {
      controller.abort(reason)
    }, 50)
    const error = expectRefusal(await opening, 'ERR_SEALOG_ABORTED')
    expect(error.cause).toBe(reason)
    await release(child)
  })
})

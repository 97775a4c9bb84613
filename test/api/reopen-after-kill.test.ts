// A process that writes is killed at any moment; everything it was told is durable must be there, and batches whole.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type BatchOperation, open } from '../../src/index.ts'
import { type Child, startChild } from '../support/built.ts'
import { type KillValue, operation, textOf } from '../support/kill-operations.mjs'
import { scratchDirectory } from '../support/scratch.ts'

/** Operations are a function of this (the moments of the kills are not): SEALOG_KILL_SEED repeats it, SEALOG_KILL_TIMES makes it longer. */
const seed = Number(process.env['SEALOG_KILL_SEED'] ?? Date.now() % 2 ** 31)
const more = Number(process.env['SEALOG_KILL_TIMES'] ?? 1)
const options = { capacity: '24MiB', segmentBytes: '64KiB', checkpointBytes: '128KiB' } as const

/** Which change made the value of each key. */
type Model = Map<string, string>

function apply(model: Model, changes: readonly BatchOperation<KillValue>[]): Model {
  for (const change of changes) {
    if (change.type === 'del') model.delete(JSON.stringify(change.key))
    else model.set(JSON.stringify(change.key), `${change.value.n}.${change.value.i}`)
  }
  return model
}

/**
 * The last operation that must be there: acknowledged, and with something to do. Removing what is not there waits for nothing, not even
 * for what was written before.
 */
function lastDurable(model: Model, from: number, acknowledged: readonly number[]): number {
  const after = new Map(model)
  const told = new Set(acknowledged)
  let last = from - 1
  for (let n = from; n <= Math.max(0, ...acknowledged); n++) {
    const { changes } = operation(seed, n)
    const changing = changes.some(({ type, key }) => type === 'put' || after.has(JSON.stringify(key)))
    if (changing && told.has(n)) last = n
    apply(after, changes)
  }
  return last
}

/** What the store holds; every value is compared with what was written under its number. */
function read(path: string, readOnly: boolean): Model {
  const db = open<KillValue>(path, { readOnly })
  try {
    const model: Model = new Map()
    for (const { key, value } of db.range()) {
      expect(value.text).toBe(textOf(seed, value.n, value.i))
      expect(db.get(key)).toEqual(value)
      model.set(JSON.stringify(key), `${value.n}.${value.i}`)
    }
    expect([...db.keys({ reverse: true })].map((key) => JSON.stringify(key))).toEqual([...model.keys()].reverse())
    expect(db.count()).toBe(model.size)
    expect(db.stats().entries).toBe(model.size)
    return model
  } finally {
    db.close()
  }
}

const same = (a: Model, b: Model): boolean => a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)

async function killAtSomeTime(child: Child, journal: string, cycle: number): Promise<void> {
  // Every fourth dies at some time after its start, perhaps before it has written anything.
  if (cycle % 4 === 3) await sleep(40 + Math.random() * 80)
  else {
    while (!/^a /m.test(readFileSync(journal, 'utf8')) && child.process.exitCode === null) await sleep(2)
    await sleep(Math.random() ** 2 * 120)
  }
  child.process.kill('SIGKILL')
}

async function survive(on: 'memory' | 'disk', cycles: number): Promise<void> {
  const directory = scratchDirectory(on)
  const path = join(directory, 'store')
  let model: Model = new Map()
  let next = 1
  for (let cycle = 0; cycle < cycles; cycle++) {
    const journal = join(directory, `journal${cycle}`)
    writeFileSync(journal, '')
    const child = startChild('kill-child.mjs', { path, journal, seed, from: next, options })
    await killAtSomeTime(child, journal, cycle)
    const ended = await child.ended
    expect(ended, `seed ${seed}, cycle ${cycle}`).toMatchObject({ signal: 'SIGKILL', stderr: '' })

    const lines = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
    const numbers = (letter: string): number[] =>
      lines.filter((line) => line.startsWith(letter)).map((line) => Number(line.slice(2)))
    const issued = Math.max(next - 1, ...numbers('i'))
    const acked = lastDurable(model, next, numbers('a'))
    if (!existsSync(`${path}.sealog`)) {
      expect(lines).toEqual([])
      continue
    }

    // Read-only leaves the file as it was killed: then it is the next child that recovers it.
    const found = read(path, cycle % 3 === 1)
    let candidate = new Map(model)
    for (let n = next; n <= acked; n++) apply(candidate, operation(seed, n).changes)
    let m = acked
    while (!same(candidate, found) && m < issued) candidate = apply(candidate, operation(seed, ++m).changes)
    expect(
      Object.fromEntries(found),
      `seed ${seed}, cycle ${cycle}: acknowledged ${acked}, begun ${issued}, and the store is at none of these`,
    ).toEqual(Object.fromEntries(candidate))
    model = found
    next = issued + 1
  }
  expect(next).toBeGreaterThan(cycles)
}

describe('a store whose writers are killed again and again', () => {
  it('keeps what was acknowledged, in memory', () => survive('memory', 15 * more), 60_000 * more)
  it('keeps what was acknowledged, on the disk', () => survive('disk', 8 * more), 60_000 * more)
})

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyStore } from '../../demo/verify.mjs'
import { loadWords, recordOf, type WordRecord, writeOrder } from '../../demo/words.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))

function demo(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const command = ['--no-warnings', `${root}demo/run.mjs`, ...args]
  const { stdout, stderr, status } = spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 100_000 })
  return { stdout, stderr, status }
}

describe.skipIf(!existsSync(`${root}dist/index.js`))('the demo', () => {
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sealog-demo-test-'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true })
  })

  it('loses nothing over two kills, and leaves nothing behind', { timeout: 120_000 }, () => {
    const { stdout, stderr, status } = demo('--words', '9000', '--kills', '2', '--dir', directory, '--seed', '7')
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    expect(stdout).toMatch(/kills \(SIGKILL in mid-write\) +│ +2 /)
    expect(stdout).toMatch(/verified at the end +│ +9,000 /)
    expect(stdout).toMatch(/ lost +│ +0 /)
    expect(stdout).toMatch(/ wrong +│ +0 /)
    expect(readdirSync(directory)).toEqual([])
  })

  it('refuses what it does not understand', () => {
    expect(demo('--kills', 'many').status).toBe(1)
    expect(demo('--dir', join(directory, 'missing'))).toMatchObject({ stdout: '', status: 1 })
  })
})

describe("the demo's verification", () => {
  const words = loadWords(100)
  const order = writeOrder(words.length, 1)
  const phases = [
    { name: 'single', from: 0, to: 50, size: 5 },
    { name: 'batch', from: 50, to: 100, size: 10 },
  ] as const
  const source = { words, order, phases: [...phases], acknowledged: 40, recovered: 0 }
  const wordAt = (i: number): string => words[order[i]!]!

  /** What the first `count` writes leave. */
  function storeOf(count: number) {
    const entries = new Map<string, WordRecord>()
    for (const index of order.subarray(0, count)) entries.set(words[index]!, recordOf(words[index]!, index))
    return { entries, count: () => entries.size, get: (key: string) => entries.get(key) }
  }

  it('accepts what was acknowledged, and a few writes more', () => {
    expect(verifyStore(storeOf(40), source)).toMatchObject({ found: 40, verified: 40, lost: 0, wrong: 0 })
    expect(verifyStore(storeOf(43), source)).toMatchObject({ found: 43, verified: 40, lost: 0, wrong: 0 })
    expect(verifyStore(storeOf(70), source)).toMatchObject({ found: 70, lost: 0, wrong: 0 })
  })

  it('sees what is lost', () => {
    expect(verifyStore(storeOf(37), source)).toMatchObject({ lost: 3, wrong: 0 })
    const gap = storeOf(40)
    gap.entries.delete(wordAt(20))
    expect(verifyStore(gap, source)).toMatchObject({ verified: 39, lost: 1 })
    expect(verifyStore(storeOf(40), { ...source, recovered: 42 })).toMatchObject({ verified: 40, lost: 2 })
  })

  it('sees what is wrong', () => {
    const changed = storeOf(40)
    changed.entries.get(wordAt(7))!.vowels++
    expect(verifyStore(changed, source)).toMatchObject({ verified: 39, lost: 0, wrong: 1 })
    const behindGap = storeOf(45)
    behindGap.entries.delete(wordAt(42))
    expect(verifyStore(behindGap, source).wrong).toBe(1)
    expect(verifyStore(storeOf(75), source).wrong).toBe(1)
  })

  it('sees an entry that nobody wrote', () => {
    const foreign = storeOf(40)
    foreign.entries.set('never a word', recordOf('never a word', 0))
    expect(verifyStore(foreign, source).wrong).toBe(1)
  })
})

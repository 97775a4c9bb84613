import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const small = ['--keys', '2000', '--seconds', '0.05', '--capacity', '80MiB']

interface Result {
  readonly domain: string
  readonly reopenMs: number
  readonly figures: readonly {
    readonly operation: string
    readonly perSecond: number
    readonly latencyUs?: Record<string, number>
    readonly histogram?: readonly { readonly fromUs: number; readonly count: number }[]
  }[]
}

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealog-cli-bench-test-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

function bench(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, 'bench', ...args], { encoding: 'utf8' })
  return { stdout, stderr, status }
}

describe.skipIf(!existsSync(main))('sealog bench', () => {
  it('measures puts, gets and ranges, and leaves nothing behind', () => {
    const { stdout, stderr, status } = bench(directory, '--json', ...small)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    const { domain, reopenMs, figures } = JSON.parse(stdout) as Result
    expect(['pmem', 'disk', 'memory']).toContain(domain)
    expect(reopenMs).toBeGreaterThan(0)
    expect(figures.map(({ operation }) => operation)).toEqual([
      'load in order, 1,000 per batch',
      'durable puts, one at a time',
      'durable puts, 1,000 in flight',
      'gets',
      'ranges of 100',
    ])
    for (const { perSecond, latencyUs, histogram } of figures) {
      expect(perSecond).toBeGreaterThan(0)
      if (!latencyUs) continue
      expect(latencyUs['p50']).toBeLessThanOrEqual(latencyUs['p99']!)
      expect(latencyUs['p99']).toBeLessThanOrEqual(latencyUs['max']!)
      expect(histogram!.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0)
    }
    expect(readdirSync(directory)).toEqual([])
  }, 60_000)

  it('prints a table and the distribution for people', () => {
    const { stdout, status } = bench(directory, ...small)
    expect(status).toBe(0)
    expect(stdout).toMatch(/durable puts, one at a time +[\d,]+ +[\d.,]+/)
    expect(stdout).toContain('survives')
    expect(stdout).toMatch(/µs +[\d,]+ #+/)
  }, 60_000)

  it('says what is wrong in one line', () => {
    for (const [args, message] of [
      [[join(directory, 'nowhere')], /^sealog: No folder can be made in .*ENOENT/],
      [[directory, '--keys', 'x'], /^sealog: --keys must be/],
      [[directory, '--seconds', '0'], /^sealog: --seconds must be/],
      [[directory, '--capacity', '1G'], /^sealog: --capacity has an unclear unit/],
      [[directory, '--capacity', '64MiB'], /^sealog: --capacity must be at least/],
    ] as const) {
      const { stderr, status } = bench(...args)
      expect(status).toBe(1)
      expect(stderr).toMatch(message)
      expect(stderr.trim().split('\n')).toHaveLength(1)
    }
    expect(readdirSync(directory)).toEqual([])
  }, 60_000)

  it('removes its store when it is interrupted', async () => {
    const child = spawn(process.execPath, [
      main,
      'bench',
      directory,
      '--seconds',
      '60',
      '--capacity',
      '80MiB',
      '--keys',
      '2000',
    ])
    const ended = once(child, 'exit')
    while (readdirSync(directory).length === 0) await sleep(20)
    child.kill('SIGINT')
    expect(await ended).toEqual([1, null])
    expect(readdirSync(directory)).toEqual([])
  }, 60_000)
})

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DoctorReport } from '../../src/cli/report.ts'
import { open } from '../../src/index.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

function sealog(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
  return { stdout, stderr, status }
}

function doctorJson(path: string): DoctorReport {
  const { stdout, stderr, status } = sealog('doctor', '--json', path)
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return JSON.parse(stdout) as DoctorReport
}

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sealog-doctor-test-'))
})
afterEach(() => {
  chmodSync(directory, 0o700)
  rmSync(directory, { recursive: true })
})

function createStore(name: string): string {
  const store = open(join(directory, name), { capacity: '32MiB' })
  for (let i = 0; i < 10; i++) store.putSync(`key${i}`, { i })
  store.close()
  return store.path
}

describe.skipIf(!existsSync(main))('sealog doctor', () => {
  it('prints facts and advice about a directory, and leaves nothing behind', () => {
    const { stdout, stderr, status } = sealog('doctor', directory)
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
    for (const label of [
      'file system',
      'MAP_SYNC',
      'flush instruction',
      'after sealing',
      'durability sync',
      'Advice',
    ]) {
      expect(stdout).toContain(label)
    }
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100)
    expect(readdirSync(directory)).toEqual([])
  })

  it('prints one JSON object of a known shape', () => {
    const report = doctorJson(directory)
    expect(report).toEqual({
      sealog: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      directory,
      fileSystem: {
        name: expect.any(String) as string,
        local: expect.any(Boolean) as boolean,
        mountOptions: expect.any(Array) as string[],
        blockBytes: expect.any(Number) as number,
        freeBytes: expect.any(Number) as number,
        overwritesInPlace: expect.any(Boolean) as boolean,
        fallocate: expect.any(Boolean) as boolean,
        writeLease: expect.any(Boolean) as boolean,
      },
      kernel: expect.any(String) as string,
      dax: {
        attribute: expect.any(Boolean) as boolean,
        mapSync: expect.any(Boolean) as boolean,
        mapSyncError: report.dax.mapSync ? null : (expect.any(String) as string),
      },
      cpu: { flush: expect.any(String) as string, eadr: expect.any(Boolean) as boolean },
      probe: {
        bytes: 8 * 2 ** 20,
        afterFallocate: expect.objectContaining({ level: 'allocated' }) as object,
        afterSealing: expect.objectContaining({ level: report.seal, unwrittenBytes: 0 }) as object,
      },
      seal: expect.stringMatching(/^(sparse|allocated|sealed)$/) as string,
      persistence: {
        sync: expect.stringMatching(/^(pmem|disk|memory)$/) as string,
        relaxed: expect.stringMatching(/^(pmem|os|memory)$/) as string,
      },
      store: null,
      advice: expect.any(Array) as DoctorReport['advice'],
    })
  })

  it('shows the store that a path names, with or without its extension', () => {
    const path = createStore('users')
    for (const name of [path, join(directory, 'users')]) {
      const { store, directory: diagnosed, persistence } = doctorJson(name)
      expect(diagnosed).toBe(directory)
      expect(store).toMatchObject({ path, state: 'clean', entries: 10, bytes: 32 * 2 ** 20, recordsToReplay: 0 })
      expect(store).toMatchObject({ persistence: persistence.sync, findings: [] })
    }
    expect(sealog('doctor', path).stdout).toMatch(/entries +10\n/)
    expect(readdirSync(directory)).toEqual(['users.sealog'])
  })

  it('shows a store with a custom encoding too', () => {
    const encoding = { encode: (value: string) => Buffer.from(value), decode: String }
    const store = open<string>(join(directory, 'custom'), { capacity: '32MiB', encoding })
    store.putSync('key', 'value')
    store.close()
    expect(doctorJson(store.path).store).toMatchObject({ state: 'clean', entries: 1 })
  })

  it('says that a store is in use', () => {
    const store = open(join(directory, 'busy'), { capacity: '32MiB' })
    try {
      expect(doctorJson(store.path).store).toMatchObject({ state: 'in-use', code: 'ERR_SEALOG_LOCKED' })
      expect(sealog('doctor', store.path)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('in use') as string,
      })
    } finally {
      store.close()
    }
  })

  it('diagnoses the directory of a store to come', () => {
    const path = join(directory, 'later.sealog')
    expect(doctorJson(path)).toMatchObject({ directory, store: { path, state: 'absent' } })
    expect(readdirSync(directory)).toEqual([])
  })

  it('reports a damaged store, and fails', () => {
    const path = createStore('damaged')
    truncateSync(path, 2 ** 20)
    const { stdout, stderr, status } = sealog('doctor', '--json', path)
    expect((JSON.parse(stdout) as DoctorReport).store).toMatchObject({ state: 'refused', code: 'ERR_SEALOG_TRUNCATED' })
    expect(stderr).toMatch(/^sealog: [^\n]+\n$/)
    expect(status).toBe(1)
  })

  it('fails with one line for a path that names nothing', () => {
    for (const path of ['missing', 'missing/deeper', 'missing/store.sealog']) {
      const { stdout, stderr, status } = sealog('doctor', join(directory, path))
      expect({ stdout, status }).toEqual({ stdout: '', status: 1 })
      expect(stderr).toMatch(/^sealog: There is no directory or store [^\n]+\n$/)
    }
  })

  it('fails with one line for a file that is no store', () => {
    const path = join(directory, 'notes.txt')
    writeFileSync(path, 'text')
    expect(sealog('doctor', path)).toMatchObject({ stdout: '', status: 1 })
    expect(sealog('doctor', path).stderr).toMatch(/^sealog: [^\n]+ is neither a directory nor a store [^\n]+\n$/)
  })

  it('fails with one line where no file can be created', () => {
    const { stderr, status } = sealog('doctor', '/proc')
    expect(stderr).toMatch(/^sealog: [^\n]+\n$/)
    expect(status).toBe(1)
  })

  it.skipIf(process.getuid?.() === 0)('fails with one line where the user may not write', () => {
    chmodSync(directory, 0o500)
    const { stderr, status } = sealog('doctor', directory)
    expect(stderr).toMatch(/^sealog: The system does not permit that [^\n]+\n$/)
    expect(status).toBe(1)
  })
})

describe.skipIf(!existsSync(main))('the command sealog', () => {
  it('tells its version and its usage', () => {
    expect(sealog('--version')).toMatchObject({
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
      status: 0,
    })
    expect(sealog('doctor', '--help')).toMatchObject({ stdout: expect.stringContaining('--json') as string, status: 0 })
  })

  it('exits with 2 on wrong usage', () => {
    for (const args of [[], ['nonsense'], ['doctor', '--nonsense'], ['doctor', 'a', 'b'], ['doctor', '']]) {
      const { stdout, stderr, status } = sealog(...args)
      expect({ args, stdout, status }).toEqual({ args, stdout: '', status: args[1] === '' ? 1 : 2 })
      expect(stderr).not.toBe('')
    }
  })
})

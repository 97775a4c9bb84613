// sealog backup, restore, verify: as processes, with their exit codes and pipes.
import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { assertBuilt } from '../support/built.ts'
import { scratchDirectory, small } from '../support/scratch.ts'

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

async function sealog(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [main, ...words])) }
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }
  }
}

/** A directory with the closed store `store`. */
function prepared(): string {
  const directory = scratchDirectory()
  const db = open(join(directory, 'store'), small)
  for (let i = 0; i < 500; i++) db.putSync(i, `value ${i}`)
  db.close()
  return directory
}

describe('the command line', () => {
  beforeAll(assertBuilt)

  it('backs up, restores with another capacity, and verifies', async () => {
    const directory = prepared()
    const [store, copy, restored] = ['store', 'copy', 'restored'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ]
    expect(await sealog('backup', store, copy, '--compact')).toMatchObject({ code: 0, stderr: '' })
    const made = await sealog('restore', copy, restored, '--capacity', '6MiB', '--json')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({ capacityBytes: 6 * 2 ** 20, verified: { ok: true } })
    const verified = await sealog('verify', restored)
    expect(verified).toMatchObject({ code: 0, stderr: '' })
    expect(verified.stdout).toContain('all is well')
    const db = open(restored)
    expect(db.get(499)).toBe('value 499')
    db.close()
  })

  it('goes through a pipe', async () => {
    const directory = prepared()
    const backup = spawn(process.execPath, [main, 'backup', join(directory, 'store'), '-'])
    const restore = spawn(process.execPath, [main, 'restore', '-', join(directory, 'restored')])
    const code = new Promise((resolve) => restore.on('exit', resolve))
    await pipeline(backup.stdout, restore.stdin)
    expect(await code).toBe(0)
    const db = open(join(directory, 'restored'))
    expect(db.count()).toBe(500)
    db.close()
  })

  it('exits 1 with the problems listed for a damaged store, and refuses to restore it', async () => {
    const directory = prepared()
    const file = join(directory, 'store.sealog')
    const bytes = readFileSync(file)
    bytes.write('V', bytes.lastIndexOf('value 77'))
    writeFileSync(file, bytes)
    const verified = await sealog('verify', file)
    expect(verified.code).toBe(1)
    expect(verified.stdout).toMatch(/1 problem\n.*\n {2}record at \d+, key 77: the record's checksum is wrong\n/)
    const json = await sealog('verify', file, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ kind: 'record', key: '77' }] })
    const refused = await sealog('restore', file, join(directory, 'restored'))
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^sealog: The backup is damaged .*\n$/)
    expect(existsSync(join(directory, 'restored.sealog'))).toBe(false)
  })

  it('exits 1 with a line for what is not there or taken, 2 for wrong usage', async () => {
    const directory = prepared()
    const store = join(directory, 'store')
    for (const words of [
      ['verify', join(directory, 'none')],
      ['backup', store, store],
      ['restore', store, store],
      ['restore', store, join(directory, 'x'), '--capacity', 'much'],
    ]) {
      const ended = await sealog(...words)
      expect(ended, words.join(' ')).toMatchObject({ code: 1, stdout: '' })
      expect(ended.stderr).toMatch(/^sealog: [^\n]+\n$/)
    }
    expect((await sealog('verify')).code).toBe(2)
  })
})

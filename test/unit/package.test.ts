import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const built = existsSync(`${root}dist/index.js`)

function run(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--no-warnings', ...args], {
    cwd: root,
    encoding: 'utf8',
  })
  return { stdout, stderr, status }
}

describe.skipIf(!built)('the built package', () => {
  it('can be required from CommonJS', () => {
    expect(run('test/support/require-sealog.cjs')).toEqual({ stdout: 'same', stderr: '', status: 0 })
  })

  it('can be imported where code generation from strings is forbidden', () => {
    const script = "await import('sealog')"
    const result = run('--disallow-code-generation-from-strings', '--input-type=module', '-e', script)
    expect(result).toEqual({ stdout: '', stderr: '', status: 0 })
  })
})

describe('the package', () => {
  it('has a lock file that names no registry', () => {
    for (const file of ['package-lock.json', 'bench/package-lock.json'])
      expect(readFileSync(`${root}${file}`, 'utf8')).not.toContain('"resolved": "http')
  })

  it('has no top-level await, which require could not load', () => {
    const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )
    expect(
      files.filter((name) => /^(await|(export )?const .* = await) /m.test(readFileSync(`${root}src/${name}`, 'utf8'))),
    ).toEqual([])
  })
})

// However a process or a worker ends, whatever its store is doing: no crash signal, and everything acknowledged is there afterwards.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { assertBuilt } from '../support/built.ts'
import { scratchDirectory } from '../support/scratch.ts'

const acknowledged = 2_000
const endings: Record<string, string> = {
  return: '',
  throw: "throw new Error('on purpose')",
  'process.exit': 'process.exit(0)',
  'a signal': "process.kill(process.pid, 'SIGTERM')\nsetTimeout(() => {}, 2000)",
  'exit after promises': 'await Promise.all(pending)\nprocess.exit(0)',
  terminate: 'for (let i = 0; ; i++) { db.put(`x${i % 100}`, i); if (i % 50 === 0) await new Promise(setImmediate) }',
}

const program = (path: string, ending: string): string => `
import { open } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
import { parentPort } from 'node:worker_threads'
const db = open(${JSON.stringify(path)}, { capacity: '32MiB' })
for (let i = 0; i < ${acknowledged}; i++) db.putSync('k' + i, { i })
const pending = Array.from({ length: 500 }, (_, i) => db.put('p' + i, i))
for (const each of pending) each.catch(() => {})
db.range().next()
parentPort?.postMessage('written')
${ending}
`
const host = (worker: string): string => `
import { Worker } from 'node:worker_threads'
const worker = new Worker(${JSON.stringify(worker)})
worker.on('error', () => {})
worker.on('message', () => setTimeout(() => worker.terminate(), 10))
`

describe.each(['memory', 'disk'] as const)('in the domain of the %s folder', (where) => {
  describe.each(Object.entries(endings))('ended by %s', (name, ending) => {
    it.each(name === 'terminate' ? ['a worker'] : ['the process', 'a worker'])('in %s', (which) => {
      assertBuilt()
      const folder = scratchDirectory(where)
      const path = join(folder, 'store')
      const script = join(folder, 'writes.mjs')
      const main = join(folder, 'main.mjs')
      writeFileSync(script, program(path, ending))
      writeFileSync(main, host(script))
      const started = which === 'the process' ? script : main
      const { signal } = spawnSync(process.execPath, [started], { timeout: 20_000 })
      expect([null, 'SIGTERM']).toContain(signal)
      const db = open<{ i: number }>(path)
      for (let i = 0; i < acknowledged; i++) expect(db.get(`k${i}`)?.i).toBe(i)
      db.close()
    })
  })
})

// However a process ends whose workers share a store: no crash signal, and everything acknowledged is there afterwards.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { assertBuilt } from '../support/built.ts'
import { scratchDirectory } from '../support/scratch.ts'

const workers = 3
const acknowledged = 500
/** What the workers do once they have written; and what the main thread does when all have. */
const doings: Record<string, string> = {
  idle: 'setInterval(() => {}, 1000)',
  writing: 'for (let i = 0; ; i++) { db.putSync(`x${i % 100}`, i); if (i % 50 === 0) await new Promise(setImmediate) }',
  committing: 'for (let i = 0; ; i++) await db.put(`x${i % 100}`, i)',
  iterating: 'for (;;) { for (const entry of db.range()) void entry; await new Promise(setImmediate) }',
  opening: 'for (;;) { (await openAsync(path)).close() }',
  closing: 'db.close()',
}
const endings: Record<string, string> = {
  'process.exit': 'process.exit(0)',
  throw: "throw new Error('on purpose')",
  terminate: 'for (const worker of all) worker.terminate()',
  'a signal': "process.kill(process.pid, 'SIGTERM')",
}

const worker = (path: string, doing: string): string => `
import { open, openAsync } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
import { parentPort, workerData } from 'node:worker_threads'
const path = ${JSON.stringify(path)}
const db = open(path, { capacity: '32MiB' })
for (let i = 0; i < ${acknowledged}; i++) db.putSync(workerData + 'k' + i, { i })
parentPort.postMessage('written')
${doing}
`
const main = (worker: string, withAddon: boolean, path: string, ending: string): string => `
import { Worker } from 'node:worker_threads'
${withAddon ? `import { open } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}\nglobalThis.db = open(${JSON.stringify(path)}, { capacity: '32MiB' })` : ''}
const all = Array.from({ length: ${workers} }, (_, i) => new Worker(${JSON.stringify(worker)}, { workerData: i }))
for (const worker of all) worker.on('error', (error) => console.error(error))
await Promise.all(all.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
await new Promise((resolve) => setTimeout(resolve, 5))
${withAddon ? 'setTimeout(() => process.exit(0), 300)' : ''}
${ending}
`

describe.each(Object.entries(endings))('ended by %s', (name, ending) => {
  describe.each(Object.entries(doings))('while workers are %s', (_doing, doing) => {
    it.each(['everywhere', 'in the workers only'])('with the addon %s', (where) => {
      assertBuilt()
      const folder = scratchDirectory()
      const path = join(folder, 'store')
      writeFileSync(join(folder, 'worker.mjs'), worker(path, doing))
      writeFileSync(join(folder, 'main.mjs'), main(join(folder, 'worker.mjs'), where === 'everywhere', path, ending))
      const { signal, error, stderr } = spawnSync(process.execPath, [join(folder, 'main.mjs')], {
        timeout: 20_000,
        encoding: 'utf8',
      })
      if (name !== 'throw') expect(stderr).toBe('')
      expect(error).toBeUndefined()
      expect(signal).toBe(name === 'a signal' ? 'SIGTERM' : null)
      const db = open<{ i: number }>(path)
      for (let w = 0; w < workers; w++) {
        for (let i = 0; i < acknowledged; i++) expect(db.get(`${w}k${i}`)?.i).toBe(i)
      }
      db.close()
    })
  })
})

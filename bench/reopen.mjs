// Reopening after SIGKILL under full load: a child loads N keys and goes on overwriting them until it is killed; then the time from
// open to the first value is taken. Usage: node bench/reopen.mjs [--keys N,...] [--rounds N] [--dir DIR] [--json]
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { open } from '../dist/index.js'

const self = fileURLToPath(import.meta.url)
const keyOf = (i) => `key-${String(i).padStart(12, '0')}`

if (process.argv[2] === 'child') {
  const [, , , path, keys] = process.argv
  const count = Number(keys)
  const value = Buffer.alloc(100, 'v')
  const capacity = Math.ceil((count * 600 + 512 * 2 ** 20) / 2 ** 20) + 'MiB'
  const db = open(path, { capacity, encoding: 'binary', checkpointBytes: process.argv[5] })
  for (let i = 0; i < count; i += 1000) {
    db.batchSync(Array.from({ length: 1000 }, (_, j) => ({ type: 'put', key: keyOf(((i + j) * 7919) % count), value })))
  }
  process.send('loaded')
  // Random overwrites, until the log's budget is nearly used.
  const puts = 1_500_000
  for (let i = 0; i < puts; i++) db.putSync(keyOf(Math.floor(Math.random() * count)), value)
  process.send('idle')
} else {
  const { values } = parseArgs({
    options: {
      keys: { type: 'string', default: '100000,1000000' },
      rounds: { type: 'string', default: '5' },
      dir: { type: 'string' },
      checkpoint: { type: 'string', default: '512KiB' },
      json: { type: 'boolean', default: false },
    },
  })
  const base = values.dir ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
  const rows = []
  for (const count of values.keys.split(',').map(Number)) {
    for (let round = 0; round < Number(values.rounds); round++) {
      const dir = mkdtempSync(join(base, 'sealog-reopen-'))
      try {
        const path = join(dir, 'store')
        await killUnderLoad(path, count, values.checkpoint)
        const start = performance.now()
        const db = open(path)
        const openMs = performance.now() - start
        if (db.getBinary(keyOf(1)) === undefined) throw new Error('the first key is gone')
        const firstGetMs = performance.now() - start
        const { framesReplayed, bytesReplayed, outcome, durationMs } = db.recovery
        rows.push({
          keys: count,
          domain: db.persistence,
          outcome,
          framesReplayed,
          bytesReplayed,
          durationMs,
          openMs,
          firstGetMs,
        })
        db.close()
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    }
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2))
  else
    console.table(
      rows.map((r) => ({
        ...r,
        durationMs: r.durationMs.toFixed(2),
        openMs: r.openMs.toFixed(2),
        firstGetMs: r.firstGetMs.toFixed(2),
      })),
    )
}

/** Resolves when the child has been killed in the middle of its overwrites. */
function killUnderLoad(path, count, checkpoint) {
  return new Promise((resolve, reject) => {
    const child = fork(self, ['child', path, String(count), checkpoint])
    const limit = setTimeout(() => child.kill('SIGKILL'), 120_000)
    let loaded = false
    child.on('message', (message) => {
      if (message === 'loaded') {
        loaded = true
        setTimeout(() => child.kill('SIGKILL'), 150 + Math.random() * 100)
      }
      if (message === 'idle') reject(new Error('the load ended before the kill'))
    })
    child.on('exit', () => {
      clearTimeout(limit)
      if (loaded) resolve()
      else reject(new Error('the child ended before it had loaded its keys'))
    })
  })
}

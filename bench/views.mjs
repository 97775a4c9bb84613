// db.view in place against copied, and getBinary, by the value's size: µs per call, the best of 25 runs.
//   node bench/views.mjs [directory]        after npm run build
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv } from 'node:process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { loadEngine } from '../dist/engine/engine.js'
import { open } from '../dist/index.js'

const directory = mkdtempSync(join(argv[2] ?? tmpdir(), 'sealog-views-'))
const keys = 20
const firstHandle = 1024

function touch(bytes) {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 64) sum += bytes[i]
  return sum
}

try {
  const db = open(join(directory, 'store'), { capacity: '256MiB', encoding: 'binary' })
  const engine = loadEngine()
  for (const [what, look] of [
    ['length only', (bytes) => bytes.length],
    ['a byte of each line', touch],
  ]) {
    console.log(`${what}:   bytes    get  copied  in place`)
    for (const size of [1024, 4096, 16_384, 32_768, 65_536, 131_072, 262_144, 520_000]) {
      for (let k = 0; k < keys; k++) db.putSync(`${size}/${k}`, Buffer.alloc(size, k))
      const rounds = Math.max(200, Math.min(20_000, Math.floor(6e7 / size)))
      const row = [undefined, Number.MAX_SAFE_INTEGER, 1].map((from) => ({ from, best: Infinity }))
      for (let run = 0; run < 25; run++) {
        for (const cell of row) {
          if (cell.from !== undefined) engine.viewFrom(firstHandle, cell.from)
          await nextTurn()
          const begun = performance.now()
          for (let i = 0; i < rounds; i++) {
            const key = `${size}/${i % keys}`
            if (cell.from === undefined) look(db.getBinary(key))
            else db.view(key, look)
          }
          // What views leave to the event loop counts, too.
          await nextTurn()
          cell.best = Math.min(cell.best, ((performance.now() - begun) * 1000) / rounds)
        }
      }
      console.log(String(size).padStart(20), ...row.map(({ best }) => best.toFixed(1).padStart(7)))
    }
  }
  db.close()
} finally {
  rmSync(directory, { recursive: true })
}

// A large value streamed in and out: GB/s, growth of the process's own memory, delay of the event loop.
//   node bench/streams.mjs [directory] [MiB]        after npm run build
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { argv } from 'node:process'
import { open } from '../dist/index.js'

const [, , base = tmpdir(), mib = '1024'] = argv
const bytes = Number(mib) * 2 ** 20
const directory = mkdtempSync(join(base, 'sealog-streams-'))
const anonymousMiB = () => Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024
const chunk = Buffer.alloc(2 ** 16, 'x')

async function* source() {
  for (let i = 0; i < bytes / chunk.length; i++) {
    chunk.writeUInt32LE(i)
    yield chunk
  }
}

async function measured(what, run) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const before = anonymousMiB()
  let most = 0
  let pieces = 0
  const look = () => {
    if (pieces++ % 64 === 0) most = Math.max(most, anonymousMiB() - before)
  }
  delay.enable()
  const begun = performance.now()
  await run(look)
  const seconds = (performance.now() - begun) / 1000
  const [p99, max] = [delay.percentile(99), delay.max].map((ns) => (ns / 1e6).toFixed(1))
  console.log(
    `${what}: ${(bytes / 1e9 / seconds).toFixed(2)} GB/s, memory +${most.toFixed(0)} MiB, loop p99 ${p99} ms, max ${max} ms`,
  )
}

try {
  const db = open(join(directory, 'store'), { capacity: Math.ceil(bytes * 1.3) + 2 ** 25 })
  await measured(`${db.persistence}, in`, (onProgress) => db.putStream('key', source(), { onProgress }))
  await measured(`${db.persistence}, out`, async (look) => {
    let read = 0
    for await (const piece of db.getStream('key')) {
      read += piece.length
      look()
    }
    if (read !== bytes) throw new Error(`${read} bytes came out`)
  })
  db.close()
} finally {
  rmSync(directory, { recursive: true })
}

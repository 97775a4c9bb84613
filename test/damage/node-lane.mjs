// The damage campaign through dist/index.js: META is decoded by the product's own recovery, with its fallbacks.
//   node test/damage/node-lane.mjs --program build/damage/sealog_damage [--variant V] [--seed S] [--every K] [--sample F] [--seconds T] [--bits A-B]
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { outcomes } from './node-check.mjs'
import { ExportedStore } from './node-store.mjs'

const hangMs = 20_000
const printedMax = 20
const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    program: { type: 'string' },
    variant: { type: 'string', default: 'killed' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '1' },
    sample: { type: 'string', default: '0.0005' },
    seconds: { type: 'string', default: '3600' },
    bits: { type: 'string' },
  },
})
const { variant } = values
const seed = Number(values.seed)
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sealog-damage-'))
const begunMs = Date.now()
let failures

try {
  const made = spawnSync(values.program, ['--variant', variant, '--seed', values.seed, '--export', folder], {
    stdio: 'inherit',
  })
  if (made.status !== 0) throw new Error('the store could not be made')
  failures = await campaign()
} finally {
  rmSync(folder, { recursive: true })
}
exit(failures === 0 ? 0 : 1)

async function campaign() {
  const range = values.bits?.split('-').map(Number)
  const job = {
    folder,
    variant,
    seed,
    path: join(folder, 'case.sealog'),
    log: join(folder, 'log'),
    bits: range ? [range[0], range.at(-1)] : null,
    every: Number(values.every),
    sample: Number(values.sample),
    seconds: Number(values.seconds),
    from: 0,
  }
  closeSync(openSync(job.log, 'w'))
  const results = new Map()
  for (;;) {
    const ended = await work({ ...job, seconds: job.seconds - (Date.now() - begunMs) / 1000 })
    let unfinished
    for (const line of readFileSync(job.log, 'utf8').split('\n')) {
      const [index, bit, outcome, ...wrong] = line.split(' ')
      if (outcome !== undefined) results.set(Number(bit), [outcomes[Number(outcome)], JSON.parse(wrong.join(' '))])
      else if (bit !== undefined && !results.has(Number(bit))) unfinished = { index: Number(index), bit: Number(bit) }
    }
    if (ended === 'done') return print(results)
    if (unfinished === undefined) throw new Error(`the worker ended outside of a case: ${ended}`)
    results.set(unfinished.bit, [ended === 'hang' ? 'hang' : 'crash', ended])
    job.from = unfinished.index + 1
    job.log += '-'
    closeSync(openSync(job.log, 'w'))
  }
}

/** @returns 'done', 'hang', or how the worker died */
function work(job) {
  const script = fileURLToPath(new URL('node-worker.mjs', import.meta.url))
  const child = spawn(process.execPath, [script, JSON.stringify(job)], { stdio: 'inherit' })
  return new Promise((resolve) => {
    let bytes = 0
    let seenMs = Date.now()
    let hung = false
    const watch = setInterval(() => {
      const now = statSync(job.log).size
      if (now !== bytes) {
        bytes = now
        seenMs = Date.now()
      } else if (Date.now() - seenMs > hangMs) {
        hung = true
        child.kill('SIGKILL')
      }
    }, 500)
    child.on('exit', (code, signal) => {
      clearInterval(watch)
      resolve(code === 0 ? 'done' : hung ? 'hang' : (signal ?? `exit ${code}`))
    })
  })
}

function print(results) {
  const store = new ExportedStore(folder, variant)
  const table = {}
  const sums = Object.fromEntries(outcomes.map((name) => [name, 0]))
  let printed = 0
  for (const [bit, [outcome, wrong]] of results) {
    const kind = store.pieceAt(Math.floor(bit / 8))?.kind ?? 'free'
    table[kind] ??= Object.fromEntries(outcomes.map((name) => [name, 0]))
    table[kind][outcome]++
    sums[outcome]++
    if (!['wrong', 'crash', 'hang'].includes(outcome) || printed++ >= printedMax) continue
    console.log(`VIOLATION: ${outcome}: bit ${bit} (${kind}): ${wrong}`)
    console.log(
      `  replay: npm run test:damage -- --lane node --variant ${variant} --seed ${values.seed} --bits ${bit}-${bit}`,
    )
  }
  console.log(`${variant}, opened by Node:`)
  console.table({ ...table, all: sums })
  const seconds = Math.round((Date.now() - begunMs) / 1000)
  const figures = { lane: 'damage', engine: 'node', variant, seed, fileBytes: store.bytes.length, bits: results.size }
  console.log(`figures: ${JSON.stringify({ ...figures, ...sums, seconds })}`)
  return sums.wrong + sums.crash + sums.hang + (results.size === 0 ? 1 : 0)
}

// Kills writers with SIGKILL and compares what they leave (test/kill/README.md):
//   npm run test:kill -- --cycles N [--native N] [--node N] [--seed S] [--on tmpfs|ext4|all] [--seconds T]
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { onExt4, onTmpfs } from '../test/kill/media.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'campaigns')
const native = join(build, 'sealog_kill')
const driver = join(root, 'test', 'kill', 'driver.mjs')

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '2000' }, // native; a tenth of it in Node
    native: { type: 'string' },
    node: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    on: { type: 'string', default: 'all' },
    seconds: { type: 'string' },
  },
})
const cycles = {
  native: Number(values.native ?? values.cycles),
  node: Number(values.node ?? Math.ceil(Number(values.cycles) / 10)),
}
const programs = Object.keys(cycles).filter((program) => cycles[program] > 0)
const media = { tmpfs: [onTmpfs], ext4: [onExt4], all: [onTmpfs, onExt4] }[values.on]
if (media === undefined || ![cycles.native, cycles.node, Number(values.seed)].every(Number.isSafeInteger)) {
  console.error('usage: --cycles N [--native N] [--node N] [--seed S] [--on tmpfs|ext4|all] [--seconds T]')
  process.exit(2)
}

function mustRun(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

let running
let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true
    running?.kill('SIGKILL')
  })
}

/** @returns what it printed as its totals, and whether nothing was lost or wrong */
async function campaign(command, args) {
  running = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve, reject) => {
    running.on('error', reject)
    running.on('close', (code, signal) => resolve(signal ?? code))
  })
  let totals
  for await (const line of createInterface({ input: running.stdout })) {
    if (line.startsWith('totals: ')) totals = JSON.parse(line.slice(8))
    else console.log(line)
  }
  const how = await ended
  if (how !== 0 && how !== 1) console.log(`FAILED: ${command} ended with ${how}`)
  return { totals, fine: how === 0 }
}

const figures = {
  lane: 'kill',
  seed: Number(values.seed),
  on: values.on,
  cycles: 0,
  acknowledged: 0,
  lost: 0,
  wrong: 0,
}

function add(program, domain, totals) {
  for (const name of ['cycles', 'acknowledged', 'lost', 'wrong']) figures[name] += totals[name]
  const sum = (figures[program] ??= { domains: [] })
  sum.domains.push(domain)
  for (const [name, count] of Object.entries(totals)) sum[name] = (sum[name] ?? 0) + count
}

/** @returns whether nothing was lost or wrong */
async function runOn(medium, program, relaxed, share) {
  const directory = join(medium.directory, `${program}${relaxed ? '-relaxed' : ''}`)
  mkdirSync(directory)
  const count = Math.ceil(cycles[program] / share)
  const args = ['--dir', directory, '--cycles', String(count), '--seed', values.seed]
  if (values.seconds !== undefined)
    args.push('--seconds', String(Math.ceil(Number(values.seconds) / (share * programs.length))))
  if (relaxed) args.push('--relaxed')
  console.log(`${program}, ${medium.name}${relaxed ? ", durability 'relaxed'" : ''}: ${count} cycles`)
  const { totals, fine } =
    program === 'native' ? await campaign(native, args) : await campaign(process.execPath, [driver, ...args])
  if (totals !== undefined) {
    const { domain, ...counts } = totals
    console.log(`  domain ${domain}: ${JSON.stringify(counts)}`)
    add(program, domain, counts)
  }
  if (!fine && !interrupted) {
    const kept = mkdtempSync(join(tmpdir(), 'sealog-kill-kept-'))
    cpSync(directory, kept, { recursive: true })
    console.log(
      `The stores are kept in ${kept}. Seed ${values.seed}; the operations repeat, the moments of the kills do not:`,
    )
    console.log(
      `  npm run test:kill -- --seed ${values.seed} --on ${values.on} --native ${cycles.native} --node ${cycles.node}`,
    )
  }
  rmSync(directory, { recursive: true })
  return fine
}

if (cycles.native > 0) {
  const options = ['-DSEALOG_ADDON=OFF', '-DSEALOG_CAMPAIGNS=ON', '-DCMAKE_BUILD_TYPE=Release']
  mustRun('cmake', '-S', 'native', '-B', build, ...options)
  mustRun('cmake', '--build', build, '-j2', '--target', 'sealog_kill')
}
if (cycles.node > 0 && !existsSync(join(root, 'dist', 'index.js'))) mustRun('npm', 'run', 'build')

let fine = true
const share = values.on === 'all' ? 3 : values.on === 'ext4' ? 2 : 1
for (const mount of media) {
  const medium = { name: mount === onTmpfs ? 'tmpfs' : 'ext4', ...mount() }
  try {
    for (const program of programs) {
      for (const relaxed of mount === onTmpfs ? [false] : [false, true]) {
        if (fine && !interrupted) fine = await runOn(medium, program, relaxed, share)
      }
    }
  } finally {
    medium.remove()
  }
}
console.log(`figures: ${JSON.stringify(figures)}`)
process.exitCode = fine && !interrupted ? 0 : 1

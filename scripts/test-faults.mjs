// The fault campaign (test/faults/README.md): builds it, runs the native part, then SIGBUS in Node.
//   npm run test:faults -- [--seed S] [--seconds T] [--all] [--kind K] [--match TEXT] [--case NAME]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'campaigns')
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '180' },
    all: { type: 'boolean', default: false },
    kind: { type: 'string' },
    match: { type: 'string' },
    case: { type: 'string' },
  },
})

const run = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) process.exit(status ?? 1)
}

/** Runs it to its end, whatever becomes of this process; prints its lines but those that `keep` takes. */
const follow = (command, args, keep) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.once(signal, () => {
        interrupted = true
        child.kill(signal)
      })
    }
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) if (!keep(line)) console.log(line)
    })
    child.on('close', (status, signal) => resolve({ status, signal }))
  })

const only = values.case?.split('/')
const wants = (kind) => (only?.[0] ?? values.kind ?? kind) === kind
const native = only ? only[0] !== 'node' : values.kind !== 'node'
let figures = { lane: 'faults', seed: Number(values.seed), cases: 0, failed: 0, crashes: 0, kinds: {} }
let failed = false
let interrupted = false

if (native) {
  const options = ['-DSEALOG_ADDON=OFF', '-DSEALOG_CAMPAIGNS=ON', '-DCMAKE_BUILD_TYPE=Release']
  run('cmake', ['-S', 'native', '-B', build, ...options])
  run('cmake', ['--build', build, '-j2', '--target', 'sealog_faults'])
  const args = ['--seed', values.seed, '--seconds', String(Number(values.seconds) * 0.9)]
  for (const name of ['kind', 'match', 'case']) if (values[name]) args.push(`--${name}`, values[name])
  if (values.all) args.push('--all')
  const { status } = await follow(join(build, 'sealog_faults'), args, (line) => {
    if (!line.startsWith('figures: ')) return false
    figures = JSON.parse(line.slice('figures: '.length))
    return true
  })
  failed = status !== 0
}

if (wants('node') && !interrupted) {
  if (!existsSync(join(root, 'dist', 'index.js'))) run('npm', ['run', 'build'])
  const seconds = values.all ? '100000' : String(Number(values.seconds) * 0.05)
  for (const thread of ['main', 'worker']) {
    if (interrupted || (only?.[1] && only[1] !== thread)) continue
    const directory = mkdtempSync('/dev/shm/sealog-faults-node-')
    const args = [join('test', 'faults', 'sigbus.mjs'), '--seconds', seconds, '--seed', values.seed]
    args.push('--directory', directory)
    if (thread === 'worker') args.push('--worker')
    if (only) args.push('--case', only.slice(2).join('/'))
    let last = ''
    let counts = { cases: 0, refused: 0, failed: 0 }
    const { status, signal } = await follow(process.execPath, args, (line) => {
      if (line.startsWith('begin ')) last = line.slice('begin '.length)
      if (line.startsWith('counts: ')) counts = JSON.parse(line.slice('counts: '.length))
      return line.startsWith('begin ') || line.startsWith('counts: ')
    })
    rmSync(directory, { recursive: true, force: true })
    if (signal && !interrupted) {
      figures.crashes++
      counts.failed++
      console.log(`FAILED node/${thread}/${last}\n  crash: ${signal}`)
      console.log(`  replay: npm run test:faults -- --case node/${thread}/${last} --seed ${values.seed}`)
    }
    console.log(`node-${thread}: ${counts.cases} cases, ${counts.refused} refused with a type, ${counts.failed} failed`)
    figures.kinds[`node-${thread}`] = counts.cases
    figures.cases += counts.cases
    figures.failed += counts.failed
    failed ||= status !== 0 || counts.failed > 0
  }
}

console.log(`figures: ${JSON.stringify(figures)}`)
process.exit(failed || interrupted ? 1 : 0)

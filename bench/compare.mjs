// npm run bench:compare -- REF: this tree against another state of it, built in a folder of its own; rounds interleaved, so that what else
// the machine does meets both. Usage: … REF [--workloads A,B] [--keys N] [--rounds N] [--seconds S] [--dir DIR]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { installPeers } from './install.mjs'
import { ratios, short } from './lib/figures.mjs'
import { progress } from './report/progress.mjs'
import { smallerWins } from './targets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const usual =
  'fillseq,fillrandom,overwrite,deleterandom,put,putconcurrent,readrandom,readmissing,readobject,range,readseq,reopenkilled'
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workloads: { type: 'string', default: usual },
    keys: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
})
const [ref] = positionals
if (ref === undefined) throw new TypeError('Which state? npm run bench:compare -- REF')

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`)
  return stdout.trim()
}

installPeers([])
const { engineModes, runMacro } = await import('./macro.mjs')
const commit = run('git', ['rev-parse', '--short', '--verify', `${ref}^{commit}`], root)
const folder = mkdtempSync(join(tmpdir(), 'sealog-compare-'))
const tree = join(folder, 'tree')
// Also where a signal ends it.
process.once('exit', () => {
  spawnSync('git', ['worktree', 'remove', '--force', tree], { cwd: root })
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

run('git', ['worktree', 'add', '--detach', tree, commit], root)
// What it is built with is this tree's; a ref that needs other packages does not build.
symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
console.log(`building ${ref} (${commit})`)
run('npm', ['run', 'build'], tree)
const wanted = [{ name: 'sealog', label: 'this tree' }, { name: 'sealog', label: ref, tree }, { name: 'null' }]
const { found } = await engineModes(wanted, ['power'])
const bar = progress()
const rows = []
await runMacro({
  directory: options.dir,
  engines: found,
  names: options.workloads.split(','),
  sizes: [Number(options.keys)],
  sweep: [],
  rounds: Number(options.rounds),
  seconds: Number(options.seconds),
  loadSeconds: 30,
  opsMin: 200_000,
  onRows: (more) => rows.push(...more),
  onProgress: bar.update,
})
bar.stop()
const head = ['workload', 'this tree', ref, '× raw', '× net', 'rounds apart', 'p50 µs', `p50 µs, ${ref}`]
const table = new Table({ head, style: { head: [], border: [], compact: true } })
for (const workload of new Set(rows.map((row) => row.workload))) {
  const of = (label) => rows.find((row) => row.workload === workload && row.label === label)
  const [ours, theirs, nothing] = [of('this tree'), of(ref), of('null')]
  const failed = [ours, theirs].find((row) => row?.figure === undefined)
  if (failed) {
    table.push([workload, { colSpan: 7, content: failed?.error ?? failed?.skip ?? 'no figure' }])
    continue
  }
  const less = smallerWins.has(workload)
  const times = less ? { raw: theirs.figure / ours.figure } : ratios(ours.figure, theirs.figure, nothing?.figure)
  const apart = Math.max(ours.spread, theirs.spread)
  const p50 = (row) => (row.latency ? short(row.latency.p50) : '')
  table.push([
    workload,
    short(ours.figure),
    short(theirs.figure),
    times.raw.toFixed(2),
    times.net?.toFixed(2) ?? '',
    `${Math.round(apart * 100)} %`,
    p50(ours),
    p50(theirs),
  ])
}
console.log(`${options.keys} keys, medians of ${options.rounds} rounds; above 1: this tree is better`)
console.log(table.toString())

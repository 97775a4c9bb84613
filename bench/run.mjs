// npm run bench: workloads × engines on tmpfs and on a disk; a table, JSON, and a page with charts. bench/README.md explains.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { installPeers } from './install.mjs'

const { values: options } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    keys: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    engines: { type: 'string' },
    workloads: { type: 'string' },
    promises: { type: 'string' },
    tmpfs: { type: 'string' },
    disk: { type: 'string' },
    only: { type: 'string' },
    out: { type: 'string' },
    docs: { type: 'boolean', default: false },
  },
})
const size = options.full ? 'full' : options.smoke ? 'smoke' : 'quick'
const defaults = {
  full: { sizes: [10_000, 100_000, 1_000_000], rounds: 3, seconds: 2, loadSeconds: 60, opsMin: 1_000_000 },
  quick: { sizes: [10_000, 100_000], rounds: 1, seconds: 0.5, loadSeconds: 10, opsMin: 200_000 },
  smoke: { sizes: [2_000], rounds: 1, seconds: 0.05, loadSeconds: 1, opsMin: 5_000 },
}[size]
const sizes = options.keys ? options.keys.split(',').map(Number) : defaults.sizes
const rounds = Number(options.rounds ?? defaults.rounds)
const seconds = Number(options.seconds ?? defaults.seconds)
if (![...sizes, rounds, seconds].every((number) => number > 0))
  throw new TypeError('--keys, --rounds and --seconds are numbers above 0')

// Enough that nothing rots: two stores in memory, and one workload with everything that needs no compiler on a disk.
const smokeEngines = 'sealog,lmdb,map,file,null'
const smokeOf = { tmpfs: ['sealog', 'lmdb', 'null'], disk: ['put'] }
const { engineNames } = await import('./adapters/index.mjs')
const names = installPeers((options.engines ?? (options.smoke ? smokeEngines : engineNames.join(','))).split(','))

const { engineModes, runMacro } = await import('./macro.mjs')
const { workloads } = await import('./workloads.mjs')
const { progress } = await import('./report/progress.mjs')
const { eventLoops, refusals, terminalTable } = await import('./report/table.mjs')
const { machine, fileSystemOf } = await import('./lib/system.mjs')
const { writePage } = await import('./report/page.mjs')
const { writeDocs } = await import('./report/docs.mjs')

const wanted = options.workloads ? options.workloads.split(',') : Object.keys(workloads)
for (const name of wanted)
  if (!(name in workloads))
    throw new TypeError(`There is no workload '${name}'; there are ${Object.keys(workloads).join(', ')}`)
const promises = (options.promises ?? (options.smoke ? 'power' : 'power,kill')).split(',')
const { found, missing } = await engineModes(
  names.map((name) => ({ name })),
  promises,
)
for (const { name, reason } of missing) console.log(`${name} is left out: ${reason}`)

// What a directory is called does not make it a tmpfs.
const directories = [options.tmpfs ?? '/dev/shm', options.disk ?? tmpdir()].filter(
  (directory) => existsSync(directory) && (options.only === undefined || fileSystemOf(directory) === options.only),
)
const places = [...new Map(directories.map((directory) => [fileSystemOf(directory), directory]))]
const facts = { ...machine(), size, rounds, seconds, keys: sizes.at(-1), keyBytes: 16, valueBytes: 100 }
const rows = []
const out = options.out ?? new URL('results', import.meta.url).pathname
mkdirSync(out, { recursive: true })
const stem = join(out, `${facts.date.replace(/[ :]/g, '-')}-${size}`)
const described = found.map(({ label, version, promise, settings, kind }) => ({
  label,
  version,
  promise,
  settings,
  kind,
}))
const result = { facts, engines: described, missing, rows }
// After each workload: a run that is stopped has what it had.
const save = () => writeFileSync(`${stem}.json`, JSON.stringify(result))
for (const [fs, directory] of places) {
  const bar = progress()
  // Modes that promise less differ only where a device is to be waited for.
  const memory = fs === 'tmpfs'
  const engines = found.filter(
    ({ promise, engine }) =>
      !(memory && promise === 'kill') && !(memory && options.smoke && !smokeOf.tmpfs.includes(engine)),
  )
  const names = options.smoke && !memory ? smokeOf.disk : wanted
  const sweep = ['put', 'fillrandom', 'readrandom', 'range', 'reopenkilled']
  const onRows = (more) => {
    rows.push(...more)
    save()
  }
  await runMacro({
    ...defaults,
    directory,
    engines,
    names,
    sizes,
    sweep,
    rounds,
    seconds,
    onRows,
    onProgress: bar.update,
  })
  bar.stop()
}

for (const [fs, directory] of places) {
  console.log(`\n${fs} (${directory}), ${facts.keys} keys of 16 bytes, values of 100; medians of ${rounds} round(s)`)
  console.log(terminalTable(rows.filter((row) => row.fs === fs && row.count === facts.keys)))
}
for (const line of [...eventLoops(rows), ...refusals(rows)]) console.log(line)
for (const { label, version, promise, settings } of found)
  console.log(`${label} ${version}: survives ${promise}; ${settings}`)

writePage(`${stem}.html`, result)
if (options.docs) writeDocs(result)
console.log(`\n${relative(process.cwd(), stem)}.json and .html`)
if (rows.some(({ error }) => error)) process.exitCode = 1

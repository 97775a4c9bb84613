// Builds and runs the crash-image explorer (test/crash/README.md): npm run test:crash -- --ops N --seed S [--jobs 2]
// Arguments go to sealog_crash. With --jobs J, J of them run side by side, far apart in seeds, and their figures are summed.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { argv, exit } from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'trace')
const seedDistance = 1_000_000

const make = (...args) => {
  const { status } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) exit(status ?? 1)
}
make('-S', 'native', '-B', build, '-DSEALOG_ADDON=OFF', '-DSEALOG_TRACE=ON', '-DCMAKE_BUILD_TYPE=Release')
make('--build', build, '-j2', '--target', 'sealog_crash')

/** Takes `name VALUE` out of `args`. */
function take(args, name, otherwise) {
  const at = args.indexOf(name)
  return at < 0 ? otherwise : Number(args.splice(at, 2)[1])
}

const given = argv.slice(2)
const jobs = take(given, '--jobs', 1)
const firstSeed = take(given, '--seed', 1000)
const options = given.length > 0 ? given : ['--ops', '300', '--seconds', '60', '--per-drain', '24', '--per-point', '4']

function explore(job) {
  const seed = String(firstSeed + job * seedDistance)
  const child = spawn(join(build, 'sealog_crash'), [...options, '--seed', seed], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let figures
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('figures: ')) figures = JSON.parse(line.slice('figures: '.length))
    else console.log(line)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? 1, figures })))
}

const results = await Promise.all(Array.from({ length: jobs }, (_, job) => explore(job)))
const total = {}
for (const { figures } of results) {
  for (const [name, value] of Object.entries(figures ?? {}))
    total[name] = typeof value === 'number' ? (total[name] ?? 0) + value : value
}
if (results.some((result) => result.figures)) console.log(`figures: ${JSON.stringify(total)}`)
exit(Math.max(...results.map((result) => result.code)))

// Builds and runs the power-cut images of the disk and os domains (test/disk/README.md):
//   npm run test:disk -- [--ops N] [--seed S] [--seconds T] [--mutants]
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'disk')
const { values: options } = parseArgs({
  options: {
    ops: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    mutants: { type: 'boolean', default: false },
  },
})

const make = (args) => {
  const { status } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) exit(status ?? 1)
}
make(['-S', 'test/disk', '-B', build, '-G', 'Unix Makefiles', '-DCMAKE_BUILD_TYPE=Release'])
make(['--build', build, '--target', 'sealog_disk', '-j2'])

const parts = []
let failed = false
const run = (...args) => {
  const { status, signal, stdout } = spawnSync(join(build, 'sealog_disk'), args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for (const line of stdout.trimEnd().split('\n')) {
    if (line.startsWith('part: ')) parts.push(JSON.parse(line.slice('part: '.length)))
    else console.log(line)
  }
  if (status !== 0) {
    failed = true
    if (status === null) console.log(`VIOLATION: signal ${signal}\n  replay: build/disk/sealog_disk ${args.join(' ')}`)
  }
}

const { ops, seed, seconds } = options
if (options.mutants) {
  run('--mutants', '--ops', ops, '--seed', seed, '--seconds', seconds)
} else {
  const each = String(Number(seconds) / 2)
  run('--creation', '--seed', seed)
  run('--fuse', '--ops', ops, '--seed', seed)
  for (const domain of ['disk', 'os']) run('--domain', domain, '--ops', ops, '--seed', seed, '--seconds', each)
  const sum = (name) => parts.reduce((total, part) => total + (part[name] ?? 0), 0)
  const figures = {
    lane: 'disk',
    images: sum('images'),
    distinct: sum('distinct'),
    second: sum('second'),
    requests: sum('writes') + sum('syncs'),
    violations: sum('violations'),
  }
  console.log(`figures: ${JSON.stringify(figures)}`)
}
exit(failed ? 1 : 0)

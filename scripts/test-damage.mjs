// Builds and runs the damage campaign (test/damage/README.md) in its two engines.
//   npm run test:damage -- [--every K] [--sample F] [--seed S] [--seconds T] [--bits A-B] [--blocks A-B] [--variant V] [--lane native|node]
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { argv, env, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    every: { type: 'string' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '120' }, // over all variants and engines
    bits: { type: 'string' },
    blocks: { type: 'string' },
    variant: { type: 'string', multiple: true, default: ['killed', 'clean', 'tall', 'reused'] },
    lane: { type: 'string', multiple: true, default: ['native', 'node'] },
    jobs: { type: 'string', default: '3' },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'campaigns')
const program = join(build, 'sealog_damage')
const run = (command, args, more = {}) =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...env, ...more } }).status ?? 1
const demand = (command, args) => {
  const status = run(command, args)
  if (status !== 0) exit(status)
}
const options = ['-DSEALOG_CAMPAIGNS=ON', '-DSEALOG_ADDON=ON', '-DCMAKE_BUILD_TYPE=Release']
demand('cmake', ['-S', 'native', '-B', build, ...options])
demand('cmake', ['--build', build, '-j2', '--target', 'sealog_damage', 'sealog_addon'])
if (!existsSync(join(root, 'dist', 'index.js'))) demand('npm', ['run', 'build:ts'])

const isReplay = values.bits !== undefined || values.blocks !== undefined
const given = (names) => names.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]))
const seconds = String(Number(values.seconds) / values.variant.length / values.lane.length)
let failed = false
for (const variant of values.variant) {
  const common = ['--variant', variant, '--seed', values.seed, '--seconds', isReplay ? values.seconds : seconds]
  if (values.lane.includes('native')) {
    const args = [...common, '--jobs', values.jobs, ...given(['every', 'sample', 'bits', 'blocks'])]
    failed = run(program, args) !== 0 || failed
  }
  if (values.lane.includes('node') && values.blocks === undefined) {
    const args = ['test/damage/node-lane.mjs', '--program', program, ...common, ...given(['every', 'bits'])]
    failed = run('node', args, { SEALOG_ADDON: join(build, 'sealog.node') }) !== 0 || failed
  }
}
exit(failed ? 1 : 0)

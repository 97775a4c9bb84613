// Builds and runs the crash-image explorer (test/crash/README.md); arguments go to it: npm run test:crash -- --ops N --seed S
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'trace')
const run = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
const options = ['-DSEALOG_ADDON=OFF', '-DSEALOG_TRACE=ON', '-DCMAKE_BUILD_TYPE=RelWithDebInfo']
run('cmake', ['-S', 'native', '-B', build, ...options])
run('cmake', ['--build', build, '-j2', '--target', 'sealog_crash'])
const given = argv.slice(2)
run(
  join(build, 'sealog_crash'),
  given.length > 0
    ? given
    : ['--ops', '500', '--seed', '1000', '--seconds', '60', '--per-drain', '16', '--per-point', '4'],
)

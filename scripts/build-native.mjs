// Builds the addon with CMake and puts it where the package looks for it: prebuilds/linux-<arch>/sealog.node.
//   node scripts/build-native.mjs           optimised, in build/release
//   node scripts/build-native.mjs debug     in build/debug; not installed: load it with SEALOG_ADDON=build/debug/sealog.node
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const debug = process.argv[2] === 'debug'
const build = join(root, 'build', debug ? 'debug' : 'release')

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error?.code === 'ENOENT') {
    console.error(`build-native: ${command} is not installed; Sealog needs a C++20 compiler, CMake >= 3.25 and make`)
    process.exit(1)
  }
  if (status !== 0) process.exit(status ?? 1)
}

const type = debug ? 'Debug' : 'Release'
run('cmake', ['-S', 'native', '-B', build, '-G', 'Unix Makefiles', `-DCMAKE_BUILD_TYPE=${type}`])
run('cmake', ['--build', build, '--target', 'sealog_addon', '-j2'])

if (!debug) {
  const folder = join(root, 'prebuilds', `linux-${process.arch}`)
  mkdirSync(folder, { recursive: true })
  // By rename, so that a process that has the old one mapped keeps it whole.
  const temporary = join(folder, `sealog.node.${process.pid}`)
  copyFileSync(join(build, 'sealog.node'), temporary)
  renameSync(temporary, join(folder, 'sealog.node'))
}

// Builds and runs the native tests (GoogleTest). Arguments go to the test program, e.g. --gtest_filter=Log*.
//   SEALOG_SANITIZE=address,undefined | thread   builds into a folder of its own with these sanitizers
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const sanitize = process.env.SEALOG_SANITIZE ?? ''
const build = join(root, 'build', sanitize === '' ? 'native-tests' : `native-tests-${sanitize.replaceAll(',', '-')}`)

const probe = spawnSync(process.env.CXX ?? 'c++', ['-E', '-x', 'c++', '-'], {
  input: '#include <gtest/gtest.h>\n',
  stdio: ['pipe', 'ignore', 'ignore'],
})
if (probe.status !== 0) {
  console.log('SKIPPED: native tests: no GoogleTest headers found (Debian: apt-get install libgtest-dev)')
  process.exit(0)
}

// The store's own handler turns SIGBUS into an answer; AddressSanitizer must leave it alone.
const env = { ASAN_OPTIONS: 'handle_sigbus=0', ...process.env }
const run = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}

const options = [
  '-DSEALOG_TESTS=ON',
  '-DSEALOG_ADDON=OFF',
  `-DSEALOG_SANITIZE=${sanitize}`,
  '-DCMAKE_BUILD_TYPE=Release',
]
run('cmake', ['-S', 'native', '-B', build, '-G', 'Unix Makefiles', ...options])
run('cmake', ['--build', build, '--target', 'sealog_tests', '-j2'])
run(join(build, 'sealog_tests'), ['--gtest_brief=1', ...process.argv.slice(2)])

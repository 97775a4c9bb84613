// The vitest suite against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer. Their runtimes are preloaded
// into Node; every process that the tests start inherits them. A report from any process fails the run.
//   npm run test:sanitized -- [--addon FILE: another addon instead of the one it builds] [test files, as vitest takes them]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { env, execPath, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'addon-asan')
const { values: options, positionals } = parseArgs({ options: { addon: { type: 'string' } }, allowPositionals: true })

const compiler = env.CXX ?? 'c++'
const runtimes = ['libasan.so', 'libubsan.so'].map((name) => {
  const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' })
  const path = (stdout ?? '').trim()
  // A compiler that does not have it prints the bare name.
  if (isAbsolute(path) && existsSync(path)) return path
  console.log(`SKIPPED: sanitized tests: ${compiler} has no ${name}`)
  exit(0)
})

const run = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) exit(status ?? 1)
}
if (options.addon === undefined) {
  const settings = ['-DSEALOG_SANITIZE=address,undefined']
  run('cmake', ['-S', 'native', '-B', build, '-G', 'Unix Makefiles', ...settings])
  run('cmake', ['--build', build, '--target', 'sealog_addon', '-j2'])
}
const addon = options.addon === undefined ? join(build, 'sealog.node') : resolve(options.addon)

const folders = ['test/api', 'test/unit', 'test/lifecycle', 'test/model'].filter((path) => existsSync(join(root, path)))
const scratch = mkdtempSync(join(tmpdir(), 'sealog-sanitized-'))
const reports = join(scratch, 'report')
const results = join(scratch, 'results.json')
const begun = Date.now()
const { status } = spawnSync(
  execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...(positionals.length > 0 ? positionals : folders),
    '--execArgv=--expose-gc',
    '--testTimeout=120000',
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${results}`,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...env,
      SEALOG_ADDON: addon,
      LD_PRELOAD: runtimes.join(':'),
      // The store answers SIGBUS itself, and Node its own SIGSEGV. Node is not built for leak detection.
      ASAN_OPTIONS: `detect_leaks=0:handle_sigbus=0:handle_segv=0:log_path=${reports}`,
      UBSAN_OPTIONS: `print_stacktrace=1:log_path=${reports}`,
    },
  },
)
const seconds = Math.round((Date.now() - begun) / 1000)

const found = readdirSync(scratch).filter((name) => name.startsWith('report.'))
for (const name of found) console.log(`REPORT ${readFileSync(join(scratch, name), 'utf8').slice(0, 6000)}`)
const tests = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : { numPassedTests: 0, numFailedTests: 0 }
rmSync(scratch, { recursive: true, force: true })
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = tests
console.log(`tests passed ${passed}, failed ${failed}; reports ${found.length}; ${seconds} s`)
const ok = status === 0 && passed > 0 && found.length === 0
if (!ok) console.log(`replay: npm run test:sanitized -- ${positionals.join(' ')}`)
console.log(
  `figures: ${JSON.stringify({ lane: 'sanitized', passed, failed, skipped, reports: found.length, seconds })}`,
)
exit(ok ? 0 : 1)

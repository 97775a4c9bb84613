// The vitest suite against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer. Their runtimes are preloaded
// into Node; every process that the tests start inherits them. A report from any process fails the run.
//   npm run test:sanitized -- [--addon FILE: another addon instead of the one it builds] [test files, as vitest takes them]
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sanitizedRun } from './sanitizers.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values: options, positionals } = parseArgs({ options: { addon: { type: 'string' } }, allowPositionals: true })
const run = sanitizedRun('sanitized tests', options.addon)

const folders = ['test/api', 'test/unit', 'test/lifecycle', 'test/model'].filter((path) => existsSync(join(root, path)))
const results = join(run.scratch, 'results.json')
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
  { cwd: root, stdio: 'inherit', env: run.env },
)
const seconds = Math.round((Date.now() - begun) / 1000)

const reports = run.tellReports()
const tests = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : { numPassedTests: 0, numFailedTests: 0 }
run.end()
const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = tests
console.log(`tests passed ${passed}, failed ${failed}; reports ${reports}; ${seconds} s`)
const ok = status === 0 && passed > 0 && reports === 0
if (!ok) console.log(`replay: npm run test:sanitized -- ${positionals.join(' ')}`)
console.log(`figures: ${JSON.stringify({ lane: 'sanitized', passed, failed, skipped, reports, seconds })}`)
exit(ok ? 0 : 1)

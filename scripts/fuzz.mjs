// Builds and runs the fuzzers (test/fuzz/README.md):
//   npm run fuzz -- [--seconds T] [--runs N] [--fuzzer NAME] [--seed S] [--jobs J] [--merge] [--coverage]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, env, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const all = ['frame', 'node', 'plan', 'store']
const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    seconds: { type: 'string', default: '15' },
    runs: { type: 'string', default: '-1' },
    fuzzer: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
    merge: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
  },
})
const maxLen = '-max_len=264' // 16 edits
const fuzzers = values.fuzzer === undefined ? all : [values.fuzzer]
if (fuzzers.some((name) => !all.includes(name))) throw new Error(`--fuzzer is one of ${all.join(', ')}`)

// The store's own handler answers SIGBUS: the sanitizer must leave it alone. The rest is speed: who allocated a block is
// seen when the finding is replayed without them.
const asanOptions = 'handle_sigbus=0:detect_leaks=0:malloc_context_size=0:quarantine_size_mb=4:max_malloc_fill_size=0'

const skip = (why) => {
  console.log(`SKIPPED: fuzzers: ${why} (Debian: apt-get install clang-14 libclang-rt-14-dev llvm-14)`)
  exit(0)
}
const compiler = [env.CLANGXX ?? 'clang++-14', 'clang++'].find((name) => spawnSync(name, ['--version']).status === 0)
if (compiler === undefined) skip('no clang')
const probe = spawnSync(compiler, ['-fsanitize=fuzzer,address,undefined', '-x', 'c++', '-', '-o', '/dev/null'], {
  input: 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }',
})
if (probe.status !== 0) skip('clang has no libFuzzer')

const run = (command, args, more = {}) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...more })
  if (status !== 0) exit(status ?? 1)
}
const build = (folder, options, targets) => {
  const given = ['-DSEALOG_ADDON=OFF', '-DSEALOG_FUZZ=ON', `-DCMAKE_CXX_COMPILER=${compiler}`, ...options]
  run('cmake', ['-S', 'native', '-B', folder, '-G', 'Unix Makefiles', ...given])
  run('cmake', ['--build', folder, `-j${values.jobs}`, ...targets.flatMap((name) => ['--target', name])])
}
const filesIn = (folder) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [])
const corpusOf = (name) => join(root, 'test', 'fuzz', 'corpus', name)
const regressionsOf = (name) => filesIn(join(root, 'test', 'fuzz', 'regressions', name))

if (values.coverage) {
  measureCoverage()
} else {
  await fuzz()
}

async function fuzz() {
  const folder = join(root, 'build', 'fuzz')
  build(
    folder,
    [
      '-DSEALOG_SANITIZE=address,undefined',
      '-DCMAKE_BUILD_TYPE=Release',
      // The mutator knows the structure; what a comparison was with tells it nothing.
      '-DCMAKE_CXX_FLAGS=-fno-sanitize-coverage=trace-cmp',
    ],
    fuzzers.map((name) => `sealog_${name}_fuzzer`),
  )
  const found = join(root, 'build', 'fuzz-findings')
  mkdirSync(found, { recursive: true })
  const scratch = mkdtempSync(join(tmpdir(), 'sealog-fuzz-'))
  const results = []
  const queue = [...fuzzers]
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      results.push(values.merge ? await merge(name, folder, scratch) : await fuzzOne(name, folder, found, scratch))
    }
  }
  try {
    await Promise.all(Array.from({ length: Number(values.jobs) }, work))
  } finally {
    rmSync(scratch, { recursive: true })
  }
  results.sort((a, b) => a.fuzzer.localeCompare(b.fuzzer))
  const findings = results.reduce((sum, each) => sum + each.findings, 0)
  const executions = results.reduce((sum, each) => sum + each.executions, 0)
  const figures = { lane: 'fuzz', seed: Number(values.seed), executions, findings, fuzzers: results }
  console.log(`figures: ${JSON.stringify(figures)}`)
  exit(findings === 0 ? 0 : 1)
}

/** The program's answer and its last lines. */
function start(name, folder, args) {
  return new Promise((resolve, reject) => {
    const child = spawn('nice', ['-n', '5', join(folder, `sealog_${name}_fuzzer`), ...args], {
      cwd: root,
      env: { ASAN_OPTIONS: asanOptions, UBSAN_OPTIONS: 'print_stacktrace=1', ...env },
    })
    let output = ''
    const keep = (text) => {
      output = (output + text).slice(-20000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', reject)
    child.on('close', (status) => {
      resolve({ status, output })
    })
  })
}

async function fuzzOne(name, folder, found, scratch) {
  const started = performance.now()
  const limits = ['-timeout=20', '-rss_limit_mb=2048', `-artifact_prefix=${found}/${name}-`]
  const regressions = regressionsOf(name)
  let findings = 0
  const tell = (output, replay) => {
    findings++
    console.log(output)
    console.log(`finding: ${name}: replay with: ${replay}`)
  }
  for (const path of regressions) {
    const { status, output } = await start(name, folder, [...limits, path])
    if (status !== 0) tell(output, `build/fuzz/sealog_${name}_fuzzer ${path}`)
  }
  const corpus = join(scratch, name)
  mkdirSync(corpus)
  const budget = [`-max_total_time=${values.seconds}`, `-runs=${values.runs}`, `-seed=${values.seed}`]
  const args = [...limits, ...budget, maxLen, '-print_final_stats=1', '-entropic=0', corpus]
  if (existsSync(corpusOf(name))) args.push(corpusOf(name))
  const { status, output } = await start(name, folder, args)
  const executions = Number(/number_of_executed_units: (\d+)/.exec(output)?.[1] ?? 0)
  if (status !== 0) {
    const artifact = /Test unit written to (\S+)/.exec(output)?.[1] ?? '(no input was written)'
    tell(output, `build/fuzz/sealog_${name}_fuzzer ${artifact}   # seed ${values.seed}`)
  }
  if (status === 0 && executions === 0) tell(output, `npm run fuzz -- --fuzzer ${name}   # nothing was executed`)
  const seconds = Math.round((performance.now() - started) / 1000)
  console.log(
    `${name}: ${executions} executions, ${regressions.length} regressions, ${seconds} s, ${findings} findings`,
  )
  return { fuzzer: name, executions, seconds, regressions: regressions.length, findings }
}

/** Finds inputs for the given time, and keeps in git the fewest that reach all that any of them reaches. */
async function merge(name, folder, scratch) {
  const wide = join(scratch, `${name}-wide`)
  const least = join(scratch, `${name}-least`)
  for (const each of [wide, least]) mkdirSync(each)
  const given = existsSync(corpusOf(name)) ? [corpusOf(name)] : []
  const budget = [`-max_total_time=${values.seconds}`, `-seed=${values.seed}`, '-entropic=0']
  const found = await start(name, folder, [...budget, maxLen, wide, ...given])
  if (found.status !== 0) throw new Error(found.output)
  // By branches, not by how often each was taken: some hundred inputs instead of thousands.
  const fewest = ['-merge=1', '-set_cover_merge=1', '-use_counters=0', maxLen, least, wide, ...given]
  const { status, output } = await start(name, folder, fewest)
  if (status !== 0) throw new Error(output)
  rmSync(corpusOf(name), { recursive: true, force: true })
  mkdirSync(corpusOf(name), { recursive: true })
  run('cp', ['-r', `${least}/.`, corpusOf(name)])
  console.log(`${name}: ${readdirSync(corpusOf(name)).length} inputs`)
  return { fuzzer: name, executions: 0, seconds: 0, regressions: 0, findings: 0 }
}

/** Branch coverage of the code that judges a file: by the native tests and by the corpus. */
function measureCoverage() {
  const version = /version (\d+)/.exec(spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? ''
  const tool = (name) =>
    [`${name}-${version}`, name].find((each) => spawnSync(each, ['--help']).status === 0) ?? skip(`no ${name}`)
  const profdata = tool('llvm-profdata')
  const cov = tool('llvm-cov')
  const folder = join(root, 'build', 'fuzz-coverage')
  const programs = [...fuzzers.map((name) => `sealog_${name}_fuzzer`), 'sealog_tests']
  const flags = '-fprofile-instr-generate -fcoverage-mapping'
  // The tests have the fuzzers' instrumentation too; the sanitizer's runtime answers it.
  const options = [`-DCMAKE_CXX_FLAGS=${flags}`, '-DCMAKE_EXE_LINKER_FLAGS=-fsanitize=undefined', '-DSEALOG_TESTS=ON']
  build(folder, [...options, '-DCMAKE_BUILD_TYPE=RelWithDebInfo'], programs)
  const profiles = mkdtempSync(join(tmpdir(), 'sealog-coverage-'))
  const profiled = (name) => ({ env: { ...env, LLVM_PROFILE_FILE: join(profiles, `${name}.profraw`) } })
  for (const name of fuzzers) {
    run(join(folder, `sealog_${name}_fuzzer`), [...filesIn(corpusOf(name)), ...regressionsOf(name)], {
      ...profiled(name),
      stdio: 'ignore',
    })
  }
  run(join(folder, 'sealog_tests'), ['--gtest_brief=1'], profiled('tests'))
  const merged = join(profiles, 'all.profdata')
  run(profdata, ['merge', '-o', merged, ...filesIn(profiles).filter((path) => path.endsWith('.profraw'))])
  const objects = programs.flatMap((name) => ['-object', join(folder, name)])
  const files = ['native/region', 'native/index', 'native/store', 'native/log']
  const exported = spawnSync(cov, ['export', '-summary-only', `-instr-profile=${merged}`, ...objects], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  if (exported.status !== 0) throw new Error(exported.stderr)
  const rows = JSON.parse(exported.stdout).data[0].files.filter(
    ({ filename }) => !filename.includes('test/native/') && files.some((each) => filename.includes(`${each}/`)),
  )
  const percent = ({ covered, count }) => (count === 0 ? 100 : Math.round((1000 * covered) / count) / 10)
  const branches = {}
  for (const { filename, summary } of rows) {
    const path = filename.slice(filename.indexOf('native/'))
    branches[path] = percent(summary.branches)
    console.log(`${path}: ${summary.branches.covered} of ${summary.branches.count} branches, ${branches[path]} %`)
  }
  rmSync(profiles, { recursive: true })
  console.log(`figures: ${JSON.stringify({ lane: 'fuzz-coverage', branches })}`)
}

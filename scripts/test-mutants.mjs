// Mutants of the core, each of which the crash-image explorer must object to (test/mutants/README.md).
//   npm run test:mutants -- [--seconds 60] [--flush clwb,clflushopt,clflush,nt] [--only trace|source] [--match REGEXP] [--seed S]
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { equivalentMutants } from '../test/mutants/equivalent.mjs'
import { sourceMutants } from '../test/mutants/source.mjs'

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    flush: { type: 'string', default: 'clwb,clflushopt,clflush,nt' },
    only: { type: 'string' },
    match: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const traceMutants = 26
const explorers = 2

const folder = mkdtempSync(join(tmpdir(), 'sealog-mutants-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
process.on('SIGINT', () => exit(130))
process.on('SIGTERM', () => exit(143))
// Faults of the source are planted in a copy. Those of the trace need none: then it is the explorer's own build.
const planted = options.only !== 'trace'
const top = planted ? folder : root
const buildFolder = planted ? join(folder, 'build') : join(root, 'build', 'trace')
if (planted) {
  for (const part of ['native', 'test/crash', 'test/native'])
    cpSync(join(root, part), join(folder, part), { recursive: true })
}

function cmake(...args) {
  const { status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8' })
  return { ok: status === 0, text: `${stdout}${stderr}` }
}
function build(name) {
  const result = cmake('--build', buildFolder, '-j2', '--target', 'sealog_crash')
  if (!result.ok) return result
  const program = join(folder, name)
  copyFileSync(join(buildFolder, 'sealog_crash'), program)
  return { ok: true, program }
}
function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part) => (text += part))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, text })))
}

/** Runs the tasks, `explorers` at a time; what a task does before its first await is done in turn. */
async function inTurn(tasks) {
  const results = []
  const running = new Set()
  for (const task of tasks) {
    if (running.size >= explorers) await Promise.race(running)
    const one = task().finally(() => running.delete(one))
    running.add(one)
    results.push(one)
  }
  return Promise.all(results)
}

cmake(
  '-S',
  join(top, 'native'),
  '-B',
  buildFolder,
  '-DSEALOG_ADDON=OFF',
  '-DSEALOG_TRACE=ON',
  '-DCMAKE_BUILD_TYPE=Release',
)
const sound = build('sound')
if (!sound.ok) {
  console.error(sound.text)
  exit(2)
}

async function traceMutantsOf(flush) {
  const seconds = String(Number(options.seconds) * traceMutants)
  const args = ['--mutants', '--ops', '300', '--seed', options.seed, '--flush', flush, '--seconds', seconds]
  const { code, text } = await run(sound.program, args)
  const found = [...text.matchAll(/^((?:early drain|drain|flush) \S+) +(SURVIVED|killed) after (\d+) images(.*)$/gm)]
  if (found.length === 0) console.log(`${flush}: exit ${code}: ${text}`)
  return found.map(([, name, verdict, images, how]) => ({
    name: `${flush}: ${name}`,
    site: name,
    killed: verdict === 'killed',
    images,
    how,
  }))
}

async function sourceMutant(mutant, index) {
  const { name, file, from, to } = mutant
  const path = join(folder, 'native', file)
  const sound = readFileSync(path, 'utf8')
  const parts = sound.split(from)
  if (parts.length !== 2) return { name, site: name, broken: `the edit is found ${parts.length - 1} times in ${file}` }
  writeFileSync(path, parts.join(to))
  const built = build(`source-${index}`)
  writeFileSync(path, sound)
  if (!built.ok)
    return {
      name,
      broken: built.text
        .split('\n')
        .filter((line) => line.includes('error'))
        .slice(0, 3)
        .join('\n'),
    }
  const args = [
    '--ops',
    '300',
    '--seed',
    options.seed,
    '--seconds',
    options.seconds,
    '--per-drain',
    '16',
    '--per-point',
    '4',
  ]
  const { code, text } = await run(built.program, args)
  rmSync(built.program)
  return {
    name,
    site: name,
    killed: code === 1,
    images: /images checked (\d+)/.exec(text)?.[1] ?? '?',
    how: code === 1 ? `: ${/VIOLATION: (.*)/.exec(text)?.[1]}` : '',
  }
}

function report(result) {
  if (result.broken !== undefined) console.log(`BROKEN    ${result.name}: ${result.broken}`)
  else {
    const why = equivalentMutants[result.site]
    const word = result.killed ? 'killed    ' : why === undefined ? 'SURVIVED  ' : 'equivalent'
    console.log(
      `${word} ${result.name}, ${result.images} images${result.killed ? result.how : why === undefined ? '' : `: ${why}`}`,
    )
  }
  return result
}

const wanted = (name) => new RegExp(options.match).test(name)
const tasks = []
if (options.only !== 'source')
  for (const flush of options.flush.split(',')) tasks.push(async () => (await traceMutantsOf(flush)).map(report))
if (options.only !== 'trace')
  sourceMutants.forEach((mutant, index) => {
    if (wanted(mutant.name)) tasks.push(async () => [report(await sourceMutant(mutant, index))])
  })
const results = (await inTurn(tasks)).flat()
const equivalent = results.filter((r) => !r.killed && equivalentMutants[r.site] !== undefined).length
const killed = results.filter((r) => r.killed).length
const survived = results.length - killed - equivalent
console.log(`mutants killed ${killed} / ${results.length - equivalent}, and ${equivalent} equivalent`)
console.log(
  `figures: ${JSON.stringify({ lane: 'mutants', mutants: results.length - equivalent, killed, equivalent, survived })}`,
)
exit(survived === 0 ? 0 : 1)

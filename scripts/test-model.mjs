// Builds and runs the model test (test/model/README.md) in two processes:
//   npm run test:model -- [--runs N] [--seed S] [--path P] [--seconds T]
import { fork, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const shards = 2
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    path: { type: 'string' },
    seconds: { type: 'string' },
  },
})
const [runs, seed] = [Number(values.runs), Number(values.seed)]
const seconds = values.seconds === undefined ? undefined : Number(values.seconds)

const build = (command, ...args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
// Other processes read the stores through the package.
if (!existsSync(join(root, 'dist')) || !existsSync(join(root, 'build/release/sealog.node')))
  build('npm', 'run', 'build')
build(process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'test/model/tsconfig.json')

const program = join(root, 'build/model/test/model/shard.js')
const env = { SEALOG_ADDON: join(root, 'build/release/sealog.node'), ...process.env }

/** The progress of each shard. */
const done = []
function runShard(i, count) {
  const options = { runs: Math.ceil(runs / count), seed: seed + i, path: values.path, seconds }
  const child = fork(program, [JSON.stringify(options)], { cwd: root, env })
  done[i] = 0
  return new Promise((resolve) => {
    let result
    child.on('message', (message) => {
      done[i] = message.runs
      result = message.result ?? result
    })
    child.on('exit', (code, signal) => resolve({ seed: seed + i, result, ended: signal ?? code }))
  })
}

const startMs = performance.now()
const secondsSince = () => Math.round((performance.now() - startMs) / 100) / 10
const total = () => done.reduce((sum, each) => sum + each, 0)
const progress = setInterval(() => console.log(`${total()} runs, ${secondsSince()} s`), 10_000)
// One process replays a counterexample.
const count = values.path === undefined ? shards : 1
console.log(`model: seed ${seed}, ${runs} runs`)
const results = await Promise.all(Array.from({ length: count }, (_, i) => runShard(i, count)))
clearInterval(progress)

const byCommand = {}
let failures = 0
for (const { seed, result, ended } of results) {
  if (result === undefined) {
    failures++
    console.log(`\nFAILED: the process ended with ${ended}\nnpm run test:model -- --seed ${seed} --runs ${runs}`)
    continue
  }
  for (const [name, taken] of Object.entries(result.commands)) byCommand[name] = (byCommand[name] ?? 0) + taken
  if (result.failure === undefined) continue
  failures++
  const { path, shape, commands, error } = result.failure
  console.log(`\nFAILED after ${result.runs} runs\n${error}\n\non ${shape}: ${commands}\n`)
  console.log(`npm run test:model -- --seed ${seed} --path '${path}'`)
}
const commands = Object.values(byCommand).reduce((sum, each) => sum + each, 0)
const ran = results.reduce((sum, { result }) => sum + (result?.runs ?? 0), 0)
console.log(
  `figures: ${JSON.stringify({ lane: 'model', seed, runs: ran, commands, byCommand, seconds: secondsSince(), failures })}`,
)
process.exit(failures === 0 ? 0 : 1)

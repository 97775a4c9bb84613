// The example of docs/concurrency.md for cluster, run as it stands there: what its workers do is added behind.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { open } from '../../src/index.ts'
import { assertBuilt } from '../support/built.ts'
import { scratchDirectory } from '../support/scratch.ts'

const root = join(import.meta.dirname, '../..')
const workers = 4

/** Written by the owner, at the worker's request; read by the worker, from the file. */
const workersPart = `
  const mine = \`of \${cluster.worker.id}\`
  const refused = await put(mine, null).then(() => put([], 'no key')).catch((error) => error.message)
  await put(mine, { worker: cluster.worker.id })
  const until = async (there) => {
    while (!there()) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await until(() => db.get(mine)?.worker === cluster.worker.id)
  await until(() => db.count() === ${workers} && [...db.values()].every((value) => value?.worker > 0))
  console.log(JSON.stringify({ own: db.get(mine), refused, besideWriter: db.info.besideWriter }))
  process.exit(0)
`
const primarysPart = `
if (cluster.isPrimary) {
  let left = ${workers}
  cluster.on('exit', (worker, code) => {
    if (code !== 0) process.exit(1)
    if (--left === 0) process.exit(0)
  })
}
`

function example(): string {
  const text = readFileSync(join(root, 'docs/concurrency.md'), 'utf8')
  const block = /^```js\n(import cluster.*?)^```$/ms.exec(text)?.[1]
  if (block === undefined) throw new Error('docs/concurrency.md has no example for cluster')
  const small = block.replace('{ waitMs: 10_000 }', "{ waitMs: 10_000, capacity: '32MiB' }")
  const end = small.lastIndexOf('\n}\n')
  expect(small).not.toBe(block)
  return small.slice(0, end) + workersPart + small.slice(end) + primarysPart
}

it('The cluster of docs/concurrency.md has one that writes and several that read, and ask it to write', async () => {
  assertBuilt()
  const directory = scratchDirectory()
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(root, join(directory, 'node_modules/sealog'))
  const program = join(directory, 'program.mjs')
  writeFileSync(program, example())
  const primary = spawn(process.execPath, [program], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => {
    // Its workers end with it.
    primary.kill('SIGKILL')
  })
  let out = ''
  let problems = ''
  primary.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  primary.stderr.setEncoding('utf8').on('data', (text: string) => (problems += text))
  const code = await new Promise((resolve) => primary.once('close', resolve))
  expect(problems).toBe('')
  expect(code).toBe(0)
  const said = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { own: { worker: number }; refused: string; besideWriter: boolean })
  expect(said.map(({ own }) => own.worker).sort()).toEqual([1, 2, 3, 4])
  for (const { refused, besideWriter } of said) {
    expect(refused).toMatch(/key/i)
    expect(besideWriter).toBe(true)
  }
  const db = open(join(directory, 'data'), { readOnly: true })
  expect(db.count()).toBe(workers)
  db.close()
})

// Runs cells: each in a process of its own, in a directory that is gone afterwards.
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../cell.mjs', import.meta.url))
const minutesMax = 10

export class Cells {
  #directory
  /** Of stores that are loaded already, by what is in them. */
  #prepared = new Map()

  /** @param {string} base a directory on the file system to be measured */
  constructor(base) {
    this.#directory = mkdtempSync(join(base, 'sealog-bench-'))
    process.once('SIGINT', this.#stop).once('SIGTERM', this.#stop)
  }

  /** @returns the result of cell.mjs; `{ skip }` or `{ error }` with the reason if there is none */
  async run(task, workload, { stores }) {
    const values = workload.values ?? 'binary'
    const local = { ...task, values, directory: mkdtempSync(join(this.#directory, 'cell-')) }
    try {
      if (stores && workload.on !== 'empty') local.prepared = await this.#prepare(task, values)
      return await this.#fork(local, task.tree)
    } catch (error) {
      return { error: error.message }
    } finally {
      rmSync(local.directory, { recursive: true, force: true })
    }
  }

  async #prepare(task, values) {
    const name = [task.label, values, task.count].join('-').replaceAll('/', '_')
    let directory = this.#prepared.get(name)
    if (directory === undefined) {
      directory = join(this.#directory, name)
      mkdirSync(directory)
      const { error } = await this.#fork({ ...task, workload: 'prepare', values, directory }, task.tree)
      if (error) throw new Error(`could not be loaded: ${error}`)
      this.#prepared.set(name, directory)
    }
    return directory
  }

  #fork(task, tree) {
    return new Promise((resolve) => {
      const child = fork(program, {
        execArgv: ['--expose-gc', '--max-old-space-size=8192'],
        env: { ...process.env, ...(tree && { SEALOG_BENCH_TREE: tree }) },
      })
      let answer
      const timer = setTimeout(() => {
        answer = { error: `took more than ${minutesMax} minutes` }
        child.kill('SIGKILL')
      }, minutesMax * 60_000)
      child.once('message', ({ result, error, skip }) => {
        answer = result ?? (skip ? { skip: error } : { error })
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        resolve(answer ?? { error: `the process ended with ${signal ?? code}` })
      })
      child.send(task)
    })
  }

  /** Stores of a size are not needed any more. */
  forget() {
    for (const directory of this.#prepared.values()) rmSync(directory, { recursive: true, force: true })
    this.#prepared.clear()
  }

  #stop = () => {
    this.close()
    process.exit(130)
  }

  close() {
    process.off('SIGINT', this.#stop).off('SIGTERM', this.#stop)
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

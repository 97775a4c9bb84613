// The cells that time opening a store: after a clean end, and after SIGKILL in the middle of overwrites. Each opening is a process of its own.
import { fork } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { median } from './lib/figures.mjs'

const program = fileURLToPath(new URL('reopen-child.mjs', import.meta.url))

/** The child's first message; it goes on. */
function start(task) {
  const child = fork(program)
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  const message = new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('error', reject)
    void ended.then((how) => reject(new Error(`the child ended with ${how}`)))
  })
  child.send(task)
  return { child, message, ended }
}

export async function run(task) {
  const killed = task.workload === 'reopenkilled'
  const samples = []
  const times = task.seconds < 0.5 ? 2 : 5
  for (let i = 0; i < times; i++) {
    const directory = join(task.directory, String(i))
    mkdirSync(directory)
    cpSync(task.prepared, directory, { recursive: true })
    const local = { ...task, directory }
    if (killed) {
      const writer = start({ ...local, what: 'write' })
      await writer.message
      await sleep(100 + Math.random() * 300)
      writer.child.kill('SIGKILL')
      const how = await writer.ended
      if (how !== 'SIGKILL') throw new Error(`the writer ended with ${how}`)
    }
    const reader = start({ ...local, what: 'read' })
    samples.push(await reader.message)
    await reader.ended
    rmSync(directory, { recursive: true, force: true })
  }
  const first = samples.map(({ firstMs }) => firstMs)
  return {
    value: median(first),
    extra: { openMs: median(samples.map(({ openMs }) => openMs)), worstMs: Math.max(...first) },
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function newestMs(directory: string, extension: string): number {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(extension))
  return Math.max(0, ...files.map((name) => statSync(join(directory, name)).mtimeMs))
}

/** Children run the built package. @throws if it is not there, or older than its source */
export function assertBuilt(): void {
  let builtMs = 0
  try {
    builtMs = newestMs(join(root, 'dist'), '.js')
  } catch {
    // Not there: as old as can be.
  }
  if (builtMs < newestMs(join(root, 'src'), '.ts')) {
    throw new Error(
      'dist/ is missing or older than src/, and child processes run what is there: `npm run build:ts` first',
    )
  }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A running program of test/support/, with what it was told as JSON. */
export interface Child {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when its standard output contains `text`; rejects if it ends before. */
  printed(text: string): Promise<void>
}

/** Starts a program of test/support/ in a Node of its own, which is gone when the test is over. */
export function startChild(program: string, argument: unknown, nodeOptions: readonly string[] = []): Child {
  assertBuilt()
  const file = join(root, 'test/support', program)
  const child = spawn(process.execPath, [...nodeOptions, file, JSON.stringify(argument)], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    for (const look of waiting) look()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr })
    })
  })
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve()
      }
      waiting.add(look)
      look()
      void ended.then((how) => {
        reject(new Error(`the child ended before it printed '${text}': ${JSON.stringify(how)}`))
      })
    })
  return { process: child, ended, printed }
}

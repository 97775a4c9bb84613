import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const writer = fileURLToPath(new URL('writer.mjs', import.meta.url))
const living = new Set()

/** Ends what still runs, by its pid. */
export function killChildren() {
  for (const child of living) child.kill('SIGKILL')
}

/**
 * Runs the writer until it ends.
 * @param {object} job see writer.mjs
 * @param {(message: any, kill: () => void) => void} onMessage called for every message that the child completed, also those that
 *   arrive after the kill
 * @returns {Promise<{ killed: boolean }>}
 * @throws Error if it ended in another way than by our kill or by being done
 */
export function runWriter(job, onMessage) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, JSON.stringify(job)], {
      stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
    })
    living.add(child)
    let ownKill = false
    let done = false
    let stderr = ''
    const kill = () => {
      ownKill = child.kill('SIGKILL') || ownKill
    }
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    // The last line may be half of a message: then it does not count.
    createInterface({ input: child.stdio[3] }).on('line', (line) => {
      const message = parse(line)
      if (message === undefined) return
      done ||= message.type === 'done'
      onMessage(message, kill)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      living.delete(child)
      if (signal === 'SIGKILL' && ownKill) resolve({ killed: true })
      else if (code === 0 && done) resolve({ killed: false })
      else reject(new Error(`The writer ended with ${signal ?? `exit code ${code}`}\n${stderr}`.trim()))
    })
  })
}

function parse(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

// A writer in a process of its own, and what it has noted of its work.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('child.mjs', import.meta.url))
let writers = 0

/** The journal, as far as it was read. */
class Told {
  checkpointing = false
  cleaning = false
  issued = 0
  /** The greatest number of an operation that is durable, and so are all before it. */
  acknowledged = 0
  refused = new Set()
  sessions = 0
  /** The stage it is at. */
  last = ''
  #first
  #began = new Set()
  #fd
  #offset = 0
  #rest = ''
  #buffer = Buffer.alloc(1 << 16)

  constructor(path) {
    this.#fd = openSync(path, 'a+')
  }

  began(stage) {
    return this.#began.has(stage)
  }

  /** Operations of this writer. */
  get count() {
    return this.#first === undefined ? 0 : this.issued - this.#first + 1
  }

  readOn() {
    for (;;) {
      const bytes = readSync(this.#fd, this.#buffer, 0, this.#buffer.length, this.#offset)
      if (bytes === 0) return this
      this.#offset += bytes
      const lines = (this.#rest + this.#buffer.latin1Slice(0, bytes)).split('\n')
      this.#rest = lines.pop()
      for (const line of lines) {
        const space = line.indexOf(' ')
        this.#take(line.slice(0, space), Number(line.slice(space + 1)))
      }
    }
  }

  close() {
    closeSync(this.#fd)
  }

  #take(what, n) {
    if (what === 'i') {
      this.#first ??= n
      this.issued = n
    } else if (what === 'a') this.acknowledged = Math.max(this.acknowledged, n)
    else if (what === 'f') this.refused.add(n)
    else if (what === 'checkpointing') this.checkpointing = n === 1
    else if (what === 'cleaning') this.cleaning = n === 1
    else {
      this.last = what
      this.#began.add(what)
      if (what === 'creating' || what === 'opening') this.sessions++
      // A close makes everything durable, and ends the checkpoints.
      if (what === 'closed') this.acknowledged = this.issued
      if (what === 'closed' || what === 'opened') this.checkpointing = this.cleaning = false
    }
  }
}

export class Writer {
  told
  ended = false
  #journal
  #child
  #end

  /** Starts the process; it waits for {@link begin}. */
  constructor(directory) {
    this.#journal = join(directory, `journal-${writers++}`)
    this.told = new Told(this.#journal)
    this.#child = spawn(process.execPath, [program, this.#journal], { cwd: root, stdio: ['pipe', 'inherit', 'pipe'] })
    let stderr = ''
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    // It may be killed before it has read its job.
    this.#child.stdin.on('error', () => {})
    this.#end = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('close', (code, signal) => {
        this.ended = true
        resolve({ code, signal, stderr })
      })
    })
  }

  async ready() {
    while (!this.ended && !this.told.readOn().began('ready')) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  begin(job) {
    this.#child.stdin.write(`${JSON.stringify(job)}\n`)
  }

  /** @returns how it ended, by this or by itself before */
  kill() {
    this.#child.kill('SIGKILL')
    return this.#end
  }

  forget() {
    this.told.close()
    rmSync(this.#journal)
  }
}

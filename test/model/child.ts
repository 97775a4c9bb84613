import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Answer = { readonly entries: readonly { key: unknown }[] } | { readonly error: string }

function fromWire(key: unknown): unknown {
  if (Array.isArray(key)) return key.map(fromWire)
  const symbol = typeof key === 'object' && key !== null ? (key as { symbol?: string }).symbol : undefined
  return symbol === undefined ? key : Symbol.for(symbol)
}

/** Another process that reads stores, started when it is first needed. */
export class Child {
  #process: ChildProcess | undefined

  /** Every entry of the store, with its version. */
  async read(path: string): Promise<unknown[]> {
    const child = (this.#process ??= fork(fileURLToPath(new URL('reader.mjs', import.meta.url)), {
      serialization: 'advanced',
      execArgv: [],
    }))
    const answered = once(child, 'message')
    child.send(path)
    const [answer] = (await answered) as [Answer]
    if ('error' in answer) throw new Error(`another process: ${answer.error}`)
    return answer.entries.map((entry) => ({ ...entry, key: fromWire(entry.key) }))
  }

  end(): void {
    this.#process?.disconnect()
  }
}

import type { Key } from './codec/keys.ts'
import { RangeFlag } from './engine/engine.ts'
import { isSealogError, SealogError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'
import type { Bounds } from './range.ts'

/** A change that has become visible. `clear`: entries of the range, or all, were removed at once; no key is named. */
export type Change<V = unknown, K = Key> =
  | {
      readonly type: 'put'
      readonly key: K
      readonly value: V
      readonly before: V | undefined
      readonly version: number
    }
  | { readonly type: 'del'; readonly key: K; readonly value: undefined; readonly before: V; readonly version: number }
  | { readonly type: 'clear'; readonly key: undefined; readonly value: undefined; readonly before: undefined }

/** An entry as it was before a change that somebody watches. */
interface Watched {
  readonly keyspace: Keyspace
  readonly key: unknown
  readonly watchers: readonly Watcher[]
  readonly before: unknown
}

/** What is being changed, to whoever watches it within this process. Costs nothing while nobody does. */
export class ChangeFeed {
  readonly #watchers = new Set<Watcher>()

  get active(): boolean {
    return this.#watchers.size > 0
  }

  /**
   * @param bounds without what is before a namespace's keys, which changes when it is cleared
   * @param signal ends it with its reason
   */
  watch(keyspace: Keyspace, bounds: Bounds, capacity: number, signal: AbortSignal | undefined): Watcher {
    const watcher = new Watcher(keyspace, bounds, capacity, signal, (ended) => this.#watchers.delete(ended))
    if (!watcher.ended) this.#watchers.add(watcher)
    return watcher
  }

  /** Takes down what the entries are now, before they are changed. */
  before(keyspace: Keyspace, keys: Iterable<unknown>): Watched[] {
    const found = new Map<string, Watched>()
    for (const key of keys) {
      const bytes = keyspace.encodeWhole(key)
      const watchers = [...this.#watchers].filter((watcher) => watcher.isAbout(keyspace, bytes))
      if (watchers.length === 0) continue
      // The caller's own may change until somebody takes it.
      const own = keyspace.decodeWhole(bytes)
      found.set(bytes.toString('latin1'), { keyspace, key: own, watchers, before: valueOf(keyspace, key) })
    }
    return [...found.values()]
  }

  /** Tells what has become of them. */
  after(watched: readonly Watched[], version: number): void {
    for (const { keyspace, key, watchers, before } of watched) {
      const value = valueOf(keyspace, key)
      if (value === undefined && before === undefined) continue
      const type = value === undefined ? 'del' : 'put'
      for (const watcher of watchers) watcher.push({ type, key, value, before, version } as Change)
    }
  }

  cleared(keyspace: Keyspace): void {
    for (const watcher of this.#watchers) {
      if (watcher.keyspace === keyspace)
        watcher.push({ type: 'clear', key: undefined, value: undefined, before: undefined })
    }
  }

  /** The store was closed. */
  close(): void {
    for (const watcher of this.#watchers) watcher.end()
  }
}

function valueOf(keyspace: Keyspace, key: unknown): unknown {
  return keyspace.read(key, 0, false, (buffer, start, end) => {
    try {
      return keyspace.values.decode(buffer, start, end)
    } catch (error) {
      // What putStream has written need not be a value.
      if (isSealogError(error, 'ERR_SEALOG_CORRUPT')) return Buffer.from(buffer.subarray(start, end))
      throw error
    }
  })
}

interface Waiter {
  resolve(result: IteratorResult<Change, undefined>): void
  reject(error: unknown): void
}

/** The changes that one watcher has not taken yet. */
export class Watcher implements AsyncIterableIterator<Change, undefined, undefined> {
  readonly keyspace: Keyspace
  readonly #bounds: Bounds
  readonly #capacity: number
  readonly #onEnd: () => void
  readonly #queue: Change[] = []
  readonly #waiters: Waiter[] = []
  #ended = false
  /** What is thrown once the queue is empty. */
  #error: unknown

  constructor(
    keyspace: Keyspace,
    bounds: Bounds,
    capacity: number,
    signal: AbortSignal | undefined,
    onEnd: (ended: Watcher) => void,
  ) {
    this.keyspace = keyspace
    this.#bounds = bounds
    this.#capacity = capacity
    this.#onEnd = () => {
      signal?.removeEventListener('abort', abort)
      onEnd(this)
    }
    const abort = (): void => {
      this.#queue.length = 0
      this.end(signal?.reason)
    }
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  }

  get ended(): boolean {
    return this.#ended
  }

  isAbout(keyspace: Keyspace, whole: Buffer): boolean {
    if (keyspace !== this.keyspace) return false
    const key = whole.subarray(keyspace.head.length)
    const { low, high, flags } = this.#bounds
    const fromLow = Buffer.compare(key, low)
    if (fromLow < 0 || (fromLow === 0 && flags & RangeFlag.LowExclusive)) return false
    if (!(flags & RangeFlag.HasHigh)) return true
    const fromHigh = Buffer.compare(key, high)
    return fromHigh < 0 || (fromHigh === 0 && (flags & RangeFlag.HighInclusive) !== 0)
  }

  push(change: Change): void {
    if (this.#ended) return
    // One tells as much as many.
    if (change.type === 'clear' && this.#queue.at(-1)?.type === 'clear') return
    const waiter = this.#waiters.shift()
    if (waiter) {
      waiter.resolve({ done: false, value: change })
    } else if (this.#queue.length < this.#capacity) {
      this.#queue.push(change)
    } else {
      const message = `A watcher has fallen ${this.#capacity} changes behind; read what it watches anew, or give it more capacity`
      this.end(new SealogError('ERR_SEALOG_OVERFLOW', message))
    }
  }

  /** No more changes; those in the queue are still delivered, then `error` is thrown, if there is one. */
  end(error?: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    this.#onEnd()
    for (const waiter of this.#waiters.splice(0)) this.#finish(waiter)
  }

  next(): Promise<IteratorResult<Change, undefined>> {
    return new Promise((resolve, reject) => {
      const change = this.#queue.shift()
      if (change !== undefined) resolve({ done: false, value: change })
      else if (this.#ended) this.#finish({ resolve, reject })
      else this.#waiters.push({ resolve, reject })
    })
  }

  return(): Promise<IteratorResult<Change, undefined>> {
    this.#queue.length = 0
    this.end()
    this.#error = undefined
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #finish(waiter: Waiter): void {
    const error = this.#error
    this.#error = undefined
    if (error === undefined) waiter.resolve({ done: true, value: undefined })
    else waiter.reject(error)
  }
}

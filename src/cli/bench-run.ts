import { mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { open, openAsync, SealogError, type Store } from '../index.ts'
import type { Domain } from './report.ts'
import { Latencies } from './latencies.ts'

export interface BenchSettings {
  /** At most, for each operation. */
  readonly seconds: number
  readonly keys: number
  readonly capacityBytes: number
}

export interface BenchFigure {
  readonly operation: string
  /** What `perSecond` counts. */
  readonly unit: string
  readonly perSecond: number
  /** Of single calls, where they were timed. */
  readonly latencies?: Latencies
}

export interface BenchResult {
  readonly directory: string
  readonly domain: Domain
  readonly sealLevel: string
  readonly settings: BenchSettings
  readonly figures: readonly BenchFigure[]
  readonly reopenMs: number
}

/** Of the log and the index, by one put of 16 + 100 bytes, with room for checkpoints. */
export const bytesPerPut = 280
const valueBytes = 100
const callers = 1000
const sliceMs = 50

const keyOf = (i: number): string => String(i).padStart(16, '0')

/**
 * Measures a store of its own in a directory, and removes it again.
 * @throws SealogError where no store can be made there; the signal's reason once it is aborted
 */
export async function runBench(path: string, settings: BenchSettings, signal: AbortSignal): Promise<BenchResult> {
  const directory = resolve(path)
  const folder = makeFolder(directory)
  try {
    const file = join(folder, 'bench')
    const capacity = settings.capacityBytes
    let db = await openAsync<Buffer, string>(file, { capacity, encoding: 'binary', signal })
    try {
      const figures = await new Bench(db, settings, signal).run()
      const { persistence: domain } = db
      const { level: sealLevel } = db.seal
      db.close()
      const begin = performance.now()
      db = open<Buffer, string>(file, { encoding: 'binary' })
      db.get(keyOf(0))
      const reopenMs = performance.now() - begin
      return { directory, domain, sealLevel, settings, figures, reopenMs }
    } finally {
      db.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function makeFolder(directory: string): string {
  try {
    return mkdtempSync(join(directory, 'sealog-bench-'))
  } catch (cause) {
    const message = `No folder can be made in ${directory} (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}); name a directory that you may write to`
    throw new SealogError('ERR_SEALOG_IO', message, { path: directory, cause })
  }
}

class Bench {
  readonly #db: Store<Buffer, string>
  readonly #keys: number
  readonly #seconds: number
  readonly #signal: AbortSignal
  readonly #value = Buffer.alloc(valueBytes, 'v')
  /** Puts that are left before the log is full. */
  #puts: number
  #found = 0

  constructor(db: Store<Buffer, string>, { keys, seconds, capacityBytes }: BenchSettings, signal: AbortSignal) {
    this.#db = db
    this.#keys = keys
    this.#seconds = seconds
    this.#signal = signal
    this.#puts = Math.floor((capacityBytes - 48 * 2 ** 20) / bytesPerPut)
  }

  async run(): Promise<BenchFigure[]> {
    const db = this.#db
    const value = this.#value
    const load = await this.#load()
    const gets = (i: number): void => {
      if (db.get(keyOf(i)) !== undefined) this.#found++
    }
    const ranges = (i: number): void => {
      for (const entry of db.range({ gte: keyOf(i), limit: 100 })) this.#found += entry.value.length > 0 ? 1 : 0
    }
    const share = Math.floor(this.#puts / 2)
    const puts = await this.#time((i) => {
      db.putSync(keyOf(i), value)
    }, share)
    const concurrent = await this.#concurrentPuts(share)
    const get = await this.#time(gets)
    const range = await this.#time(ranges)
    if (this.#found === 0)
      throw new SealogError('ERR_SEALOG_CORRUPT', 'Nothing of what was written was found', { path: db.path })
    return [
      { operation: 'load in order, 1,000 per batch', unit: 'puts/s', perSecond: load },
      { operation: 'durable puts, one at a time', unit: 'puts/s', ...puts },
      { operation: 'durable puts, 1,000 in flight', unit: 'puts/s', ...concurrent },
      { operation: 'gets', unit: 'gets/s', ...get },
      { operation: 'ranges of 100', unit: 'ranges/s', ...range },
    ]
  }

  async #load(): Promise<number> {
    const begin = performance.now()
    for (let from = 0; from < this.#keys; from += 1000) {
      const count = Math.min(1000, this.#keys - from)
      this.#db.batchSync(
        Array.from({ length: count }, (_, i) => ({ type: 'put', key: keyOf(from + i), value: this.#value })),
      )
      this.#puts -= count
      if (from % 10_000 === 0) await this.#turn()
    }
    return (this.#keys * 1e3) / (performance.now() - begin)
  }

  /** Random keys for a while: once for the compiler, then by the clock, then with a time for each. */
  async #time(step: (i: number) => void, most = Infinity): Promise<{ perSecond: number; latencies: Latencies }> {
    await this.#phase(step, this.#seconds / 5, most / 5)
    const { count, ms } = await this.#phase(step, this.#seconds, (most * 2) / 5)
    const latencies = new Latencies()
    const timed = (i: number): void => {
      const start = performance.now()
      step(i)
      latencies.record((performance.now() - start) * 1e6)
    }
    await this.#phase(timed, this.#seconds, (most * 2) / 5)
    return { perSecond: (count * 1e3) / ms, latencies }
  }

  /** In slices, so that a signal is heard. Time between them does not count. */
  async #phase(step: (i: number) => void, seconds: number, most: number): Promise<{ count: number; ms: number }> {
    let count = 0
    let ms = 0
    while (ms < seconds * 1e3 && count < most) {
      const begin = performance.now()
      let now = begin
      while (now - begin < sliceMs && ms + now - begin < seconds * 1e3 && count < most) {
        for (let i = 0; i < 16 && count < most; i++, count++) step(Math.floor(Math.random() * this.#keys))
        now = performance.now()
      }
      ms += now - begin
      await this.#turn()
    }
    return { count, ms }
  }

  async #concurrentPuts(most: number): Promise<{ perSecond: number; latencies: Latencies }> {
    const latencies = new Latencies()
    const begin = performance.now()
    const end = begin + this.#seconds * 1e3
    let count = 0
    const caller = async (): Promise<void> => {
      while (count < most && !this.#signal.aborted) {
        count++
        const start = performance.now()
        await this.#db.put(keyOf(Math.floor(Math.random() * this.#keys)), this.#value)
        const now = performance.now()
        latencies.record((now - start) * 1e6)
        if (now > end) break
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    this.#signal.throwIfAborted()
    return { perSecond: (count * 1e3) / (performance.now() - begin), latencies }
  }

  async #turn(): Promise<void> {
    await nextTurn()
    this.#signal.throwIfAborted()
  }
}

/** The store under test, with what its user holds: iterators, promises, values that were read. */
import {
  type Key,
  open,
  openAsync,
  type OpenOptions,
  type RangeIterator,
  type RangeOptions,
  type Snapshot,
  type Store,
} from '../../src/index.ts'
import { compareKeys, rangeOf } from '../support/key-model.ts'
import { expectSame, expectTrue, Mismatch, show } from './compare.ts'
import type { Change, Model, ModelEntry } from './model.ts'
import { normalKey } from './keys.ts'
import { optionsOf, type Shape } from './shape.ts'

interface Outcome {
  readonly value?: unknown
  readonly error?: unknown
}

interface Pending {
  readonly what: string
  readonly outcome: Promise<Outcome>
  readonly check: (outcome: Outcome) => void
}

/** An iterator that is held across commands, and what is left for it to give. */
export interface Held {
  readonly iterator: RangeIterator<unknown>
  readonly store: Store
  readonly limit: number
  /** What it must give; undefined until its first step takes the snapshot. */
  expected: unknown[] | undefined
  readonly expect: () => unknown[]
  at: number
  ended: boolean
}

/** A snapshot that is held across commands, with what it must say. */
export interface HeldSnapshot {
  readonly snapshot: Snapshot
  readonly store: Store
  readonly entries: readonly ModelEntry[]
  readonly spaces: ReadonlyMap<Model, readonly ModelEntry[]>
}

/** A change that a watcher must be told of. */
interface Told {
  readonly event: { readonly type: 'put' | 'del' | 'clear'; readonly key: unknown; value: unknown; before: unknown }
  readonly versionMin: number
}

/** Somebody who watches the default namespace, with what is still to be told. */
export interface HeldWatch {
  readonly changes: AsyncIterator<unknown, undefined>
  readonly store: Store
  readonly options: RangeOptions
  readonly capacity: number
  readonly queue: Told[]
  overflown: boolean
}

interface WatchedKey {
  readonly key: Key
  readonly before: ModelEntry | undefined
}

export class System {
  readonly shape: Shape
  readonly path: string
  store: Store
  held: Held[] = []
  snapshots: HeldSnapshot[] = []
  watches: HeldWatch[] = []
  #pending: Pending[] = []
  #kept: { readonly value: unknown; readonly expected: unknown }[] = []

  /** Every store that was opened, to be closed in the end. */
  readonly #opened: Store[] = []

  constructor(shape: Shape, path: string) {
    this.shape = shape
    this.path = path
    this.store = open(path, optionsOf(shape))
    this.#opened.push(this.store)
  }

  open(options: OpenOptions = {}): Store {
    const store = open(this.path, { ...this.#reopenOptions(), ...options })
    this.#opened.push(store)
    return store
  }

  reopen(options: OpenOptions = {}): void {
    this.store = this.open(options)
  }

  async reopenAsync(): Promise<void> {
    this.store = await openAsync(this.path, this.#reopenOptions())
    this.#opened.push(this.store)
  }

  #reopenOptions(): OpenOptions {
    const { durability, checkpointBytes, encoding } = optionsOf(this.shape)
    return { durability, checkpointBytes, ...(typeof encoding === 'object' ? { encoding } : {}) } as OpenOptions
  }

  /** Compares it now, and again when the run ends. */
  keep(value: unknown, expected: unknown, what: string): void {
    expectSame(value, expected, what)
    if (typeof value === 'object' && value !== null) this.#kept.push({ value, expected })
  }

  checkKept(): void {
    for (const { value, expected } of this.#kept) expectSame(value, expected, 'a value that was read before')
  }

  /** Gives the values that were read up, to be spoilt by their owner. */
  takeKept(): unknown[] {
    this.checkKept()
    return this.#kept.splice(0).map(({ value }) => value)
  }

  /** A promise of the store's, of which `check` is told in the end. */
  expect(promise: Promise<unknown>, what: string, check: (outcome: Outcome) => void): void {
    const outcome = promise.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    )
    this.#pending.push({ what, outcome, check })
  }

  async settle(): Promise<void> {
    for (const { what, outcome, check } of this.#pending.splice(0)) {
      try {
        check(await outcome)
      } catch (error) {
        throw new Mismatch(`the promise of ${what}: ${(error as Error).message}`)
      }
    }
  }

  /** Everything that is in the store, in every form that a count or a range has. */
  checkAll(model: Model): void {
    const { store } = this
    expectSame(
      [...store.range()],
      model.entries.map(({ key, value }) => ({ key, value: value.expected() })),
      'the whole range',
    )
    expectSame(
      [...store.keys({ reverse: true })],
      model.entries.map(({ key }) => key).reverse(),
      'all keys in reverse order',
    )
    expectSame(store.count(), model.entries.length, 'the count')
    this.checkStats(model)
    for (const { key, version, expires } of model.entries.slice(0, 40)) {
      const entry = store.getEntry(key)
      expectSame(entry?.version, version, `the version of ${show(key)}`)
      expectSame(entry?.expiresAt, expires, `the time of ${show(key)}`)
    }
    expectSame(store.namespaces(), [...model.spaces.keys()].sort(), 'the namespaces')
    for (const [name, space] of model.spaces) {
      const namespace = store.namespace(name)
      expectSame(
        [...namespace],
        space.entries.map(({ key, value }) => ({ key, value: value.expected() })),
        `all of namespace ${name}`,
      )
      expectSame(namespace.count(), space.entries.length, `the count of namespace ${name}`)
    }
  }

  checkStats(model: Model): void {
    const { store } = this
    const { entries, pins, lsn, durableLsn } = store.stats()
    const live = model.entries.length
    expectTrue(
      entries >= live && entries <= live + model.expired,
      `stats() says ${entries} entries, of ${live} and ${model.expired} that may have expired`,
    )
    expectTrue(lsn >= model.version, `the lsn ${lsn} is less than the version ${model.version}`)
    expectTrue(durableLsn <= lsn, `the durable lsn ${durableLsn} is greater than ${lsn}`)
    const iterators = this.held.filter((each) => !each.ended && each.expected && each.store === store).length
    const snapshots = this.snapshots.filter((each) => each.store === store).length
    expectTrue(
      pins.snapshots >= snapshots && pins.snapshots <= snapshots + iterators,
      `${pins.snapshots} snapshots are held, ${snapshots} of them by their owner, by ${iterators} iterators`,
    )
  }

  /** What watchers must be told of, as it is before. */
  watchedBefore(model: Model, changes: readonly Change[]): WatchedKey[] {
    if (this.watches.length === 0) return []
    const firsts = changes.filter(({ key }, i) => changes.findIndex((each) => compareKeys(each.key, key) === 0) === i)
    return firsts.map(({ key }) => ({ key, before: model.get(key) }))
  }

  tell(model: Model, watched: readonly WatchedKey[]): void {
    // Namespaces are not watched here.
    if (model.isSpace) return
    for (const watch of this.watches.filter(({ store }) => store === this.store)) {
      for (const { key, before } of watched) {
        const after = model.get(key)
        if ((before === undefined && after === undefined) || rangeOf([{ key }], watch.options).length === 0) continue
        const event = {
          type: after === undefined ? ('del' as const) : ('put' as const),
          key: normalKey(key),
          value: after?.value.expected(),
          before: before?.value.expected(),
        }
        this.#push(watch, { event, versionMin: Math.max(after?.version ?? 0, before?.version ?? 0) })
      }
    }
  }

  tellCleared(): void {
    const event = { type: 'clear' as const, key: undefined, value: undefined, before: undefined }
    for (const watch of this.watches) {
      if (watch.store !== this.store || watch.queue.at(-1)?.event.type === 'clear') continue
      this.#push(watch, { event, versionMin: 0 })
    }
  }

  #push(watch: HeldWatch, told: Told): void {
    if (watch.queue.length < watch.capacity && !watch.overflown) watch.queue.push(told)
    else watch.overflown = true
  }

  /** A refusal for lack of space must be one: so much at most may be missing. */
  expectFull(changes: readonly Change[]): void {
    const { segmentBytes, capacityBytes } = this.shape
    const { space, index } = this.store.stats()
    // A put with a time has a line in a list.
    const lines = changes.filter((each) => each.type === 'put' && each.life !== undefined).length
    const puts = changes.filter(({ type }) => type === 'put').length + lines
    const length = changes.length + lines
    const count = capacityBytes / segmentBytes
    const reserve = puts > 0 ? Math.max(Math.floor(count / 20), count >= 24 ? 5 : 3) : 0
    const logBytes = changes.reduce((sum, each) => sum + 2048 + (each.type === 'put' ? each.value.bytes + 2048 : 0), 0)
    const perSegment = segmentBytes - 4096
    const leaves = (Math.min(length, index.leaves) + (puts && puts + 1)) * 512
    const inners = (Math.min(length * index.height, index.inners) + (puts && puts / 8 + 2 * index.height + 2)) * 4096
    // Log records do not fill segments to their ends.
    const needed = 3 + Math.ceil(logBytes / (segmentBytes / 2)) + Math.ceil(leaves / perSegment + inners / perSegment)
    expectTrue(
      space.free < reserve + needed,
      `ERR_SEALOG_FULL with ${space.free} free segments of ${space.segments}, of which ${needed} at most are needed`,
    )
  }

  async end(): Promise<void> {
    for (const store of this.#opened) store.close()
    await Promise.all(this.#pending.map(({ outcome }) => outcome))
  }
}

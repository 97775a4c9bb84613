/** The store under test, with what its user holds: iterators, promises, values that were read. */
import { open, openAsync, type OpenOptions, type RangeIterator, type Store } from '../../src/index.ts'
import { expectSame, expectTrue, Mismatch, show } from './compare.ts'
import type { Change, Model } from './model.ts'
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

export class System {
  readonly shape: Shape
  readonly path: string
  store: Store
  held: Held[] = []
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
    for (const { key, version } of model.entries.slice(0, 40)) {
      expectSame(store.getEntry(key)?.version, version, `the version of ${show(key)}`)
    }
  }

  checkStats(model: Model): void {
    const { store } = this
    const { entries, pins, lsn, durableLsn } = store.stats()
    expectSame(entries, model.entries.length, 'the entries of stats()')
    expectTrue(lsn >= model.version, `the lsn ${lsn} is less than the version ${model.version}`)
    expectTrue(durableLsn <= lsn, `the durable lsn ${durableLsn} is greater than ${lsn}`)
    const live = this.held.filter((each) => !each.ended && each.expected && each.store === store).length
    expectTrue(pins.snapshots <= live, `${pins.snapshots} snapshots are held by ${live} iterators`)
  }

  /** A refusal for lack of space must be one: so much at most may be missing. */
  expectFull(changes: readonly Change[]): void {
    const { segmentBytes, capacityBytes } = this.shape
    const { space, index } = this.store.stats()
    const puts = changes.filter(({ type }) => type === 'put').length
    const count = capacityBytes / segmentBytes
    const reserve = puts > 0 ? Math.max(Math.floor(count / 10), 3) : 0
    const logBytes = changes.reduce((sum, each) => sum + 2048 + (each.type === 'put' ? each.value.bytes : 0), 0)
    const perSegment = segmentBytes - 4096
    const leaves = (Math.min(changes.length, index.leaves) + (puts && puts + 1)) * 512
    const inners =
      (Math.min(changes.length * index.height, index.inners) + (puts && puts / 8 + 2 * index.height + 2)) * 4096
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

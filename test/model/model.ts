/** What a store must hold: a sorted map, with namespaces that are maps of their own. */
import type { Key, RangeOptions } from '../../src/index.ts'
import { compareKeys, rangeOf } from '../support/key-model.ts'
import { normalKey } from './keys.ts'
import type { ValueSpec } from './values.ts'

export interface ModelEntry {
  readonly key: Key
  readonly value: ValueSpec
  readonly version: number
  /** Unix milliseconds, far ahead; undefined: never. */
  readonly expires: number | undefined
}

/**
 * How long an entry lives: to a far time given in one of these ways, for ever though the namespace says otherwise, not at
 * all, or as the entry that is replaced.
 */
export type Life = 'number' | 'date' | 'ttl' | 'forever' | 'past' | 'kept'

/** What a change asks of the entry: its version, another one, or that there is none. */
export type Condition = 'same' | 'other' | 'absent'

/** A change as the model takes it. */
export type Change =
  | {
      readonly type: 'put'
      readonly key: Key
      readonly value: ValueSpec
      readonly life?: Life | undefined
      readonly condition?: Condition | undefined
    }
  | { readonly type: 'del'; readonly key: Key; readonly condition?: 'same' | 'other' | undefined }

export class Model {
  /** In key order. */
  readonly entries: ModelEntry[]
  /** Of the last commit that was seen, or more. */
  version = 0
  /** Entries that were put with a time in the past: so many at most are not removed yet. */
  expired = 0
  /** Lines at most in the list of times. */
  lines = 0
  /** Of a namespace. */
  readonly ttlMs: number | undefined
  /** The namespaces there are, by name. One that is made anew is another model. */
  readonly spaces = new Map<string, Model>()
  /** Whether something may be removed in the background. */
  garbage = false

  /** Whether it is one. */
  readonly isSpace: boolean

  constructor(space?: { readonly ttl?: number | undefined }, entries: readonly ModelEntry[] = []) {
    this.entries = [...entries]
    this.isSpace = space !== undefined
    this.ttlMs = space?.ttl
  }

  /** Where the key is, or would be. */
  #place(key: Key): { at: number; found: boolean } {
    let [low, high] = [0, this.entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const order = compareKeys(this.entries[middle]!.key, key)
      if (order === 0) return { at: middle, found: true }
      if (order < 0) low = middle + 1
      else high = middle
    }
    return { at: low, found: false }
  }

  get(key: Key): ModelEntry | undefined {
    const { at, found } = this.#place(key)
    return found ? this.entries[at] : undefined
  }

  has(key: Key): boolean {
    return this.#place(key).found
  }

  put(key: Key, value: ValueSpec, version: number, expires?: number): void {
    const { at, found } = this.#place(key)
    // The same object as before, so that it can be told apart by that.
    const known = found ? this.entries[at]?.key : undefined
    this.entries.splice(at, found ? 1 : 0, { key: known ?? normalKey(key), value, version, expires })
  }

  remove(key: Key): boolean {
    const { at, found } = this.#place(key)
    if (found) this.entries.splice(at, 1)
    return found
  }

  range(options: RangeOptions): ModelEntry[] {
    return rangeOf(this.entries, options)
  }

  holds({ key, condition }: Change): boolean {
    return condition === undefined || (condition === 'absent' ? !this.has(key) : condition === 'same' && this.has(key))
  }
}

/** What a store must hold: a sorted map. */
import type { Key, RangeOptions } from '../../src/index.ts'
import { compareKeys, rangeOf } from '../support/key-model.ts'
import { normalKey } from './keys.ts'
import type { ValueSpec } from './values.ts'

export interface ModelEntry {
  readonly key: Key
  readonly value: ValueSpec
  readonly version: number
}

/** A change as the model takes it. */
export type Change =
  { readonly type: 'put'; readonly key: Key; readonly value: ValueSpec } | { readonly type: 'del'; readonly key: Key }

export class Model {
  /** In key order. */
  readonly entries: ModelEntry[] = []
  /** Of the last commit that was seen, or more. */
  version = 0

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

  put(key: Key, value: ValueSpec, version: number): void {
    const { at, found } = this.#place(key)
    this.entries.splice(at, found ? 1 : 0, { key: normalKey(key), value, version })
  }

  remove(key: Key): boolean {
    const { at, found } = this.#place(key)
    if (found) this.entries.splice(at, 1)
    return found
  }

  range(options: RangeOptions): ModelEntry[] {
    return rangeOf(this.entries, options)
  }
}

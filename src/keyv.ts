/* eslint-disable @typescript-eslint/require-await -- Keyv's methods are asynchronous, Sealog's reads are not */
import { EventEmitter } from 'node:events'
import type { KeyvStoreAdapter, StoredData } from 'keyv'
import { open } from './open.ts'
import type { OpenOptions } from './options.ts'
import type { Store } from './store.ts'
import type { Table } from './table.ts'

function rangeOf(namespace: string | undefined): { prefix: string } | undefined {
  return namespace ? { prefix: `${namespace}:` } : undefined
}

/**
 * A Sealog store as a storage adapter of Keyv 5: `new Keyv({ store: new KeyvSealog('cache', { capacity: '64MiB' }) })`. Keyv puts its
 * namespace in front of each key; several Keyvs that share a store need an adapter each, over one open store.
 *
 * Every write is durable when its promise resolves. Entries with a time to live are removed by Sealog when that is over; Keyv looks
 * at it as well.
 */
export class KeyvSealog extends EventEmitter implements KeyvStoreAdapter {
  /** Set by Keyv; what clear and iterator are confined to. */
  namespace: string | undefined = undefined
  /** Keyv 5 has iterator() only for adapters with a dialect from a fixed list, and uses it for nothing else. */
  readonly opts: Record<string, unknown> = { dialect: 'sqlite' }
  readonly #table: Table<unknown, string>
  /** To be closed by disconnect. */
  readonly #opened: Store<unknown, string> | undefined

  /**
   * @param store an open store or a namespace of one, with keys and an encoding that take what Keyv gives (strings, by default); it
   *   stays the caller's. Or the path of a store to open, or create, synchronously
   * @param options for `open`, with a path
   */
  constructor(store: Table<unknown, string> | string, options: OpenOptions = {}) {
    super()
    if (typeof store === 'string') this.#table = this.#opened = open<unknown, string>(store, options)
    else this.#table = store
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return this.#table.get(key) as StoredData<Value> | undefined
  }

  async getMany<Value>(keys: string[]): Promise<StoredData<Value | undefined>[]> {
    return this.#table.getMany(keys) as StoredData<Value | undefined>[]
  }

  async has(key: string): Promise<boolean> {
    return this.#table.has(key)
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return keys.map((key) => this.#table.has(key))
  }

  /** @param ttl milliseconds; Keyv gives undefined for an entry that does not expire */
  async set(key: string, value: unknown, ttl?: number): Promise<void> {
    await this.#table.put(key, value, ttl !== undefined && ttl > 0 ? { ttl } : undefined)
  }

  /** @returns whether there was one */
  async delete(key: string): Promise<boolean> {
    return this.#table.remove(key)
  }

  /** All or nothing. @returns whether there were all of them, as Keyv has it where an adapter has no deleteMany */
  async deleteMany(keys: string[]): Promise<boolean> {
    const found = keys.every((key) => this.#table.has(key))
    await this.#table.batch(keys.map((key) => ({ type: 'del', key })))
    return found
  }

  /** Removes what is in the namespace, or, without one, everything in the store. */
  async clear(): Promise<void> {
    await this.#table.clear(rangeOf(this.namespace))
  }

  /** Entries of a namespace, in the order of their keys, as they were when the first was asked for. */
  async *iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    for (const { key, value } of this.#table.range(rangeOf(namespace))) yield [key, value as Awaited<Value>]
  }

  /** Closes the store, if this opened it. */
  async disconnect(): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]()
  }
}

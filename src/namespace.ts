import type { CataloguedNamespace } from './catalogue.ts'
import type { Key } from './codec/keys.ts'
import type { Core } from './core.ts'
import { isSealogError, SealogError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'
import type { RangeOptions } from './range.ts'
import { Table } from './table.ts'

const keyspaces = new WeakMap<object, Keyspace>()

/** A named part of the store with keys and values of its own; a transaction may span several. Made by {@link Store.namespace}. */
export class Namespace<V = unknown, K = Key> extends Table<V, K> {
  readonly name: string
  readonly #core: Core
  readonly #keyspace: Keyspace<V>
  readonly #onDrop: () => void
  #current: CataloguedNamespace
  /** Of the catalogue, when that was read. */
  #seen = -1

  /** For Store. */
  constructor(core: Core, keyspace: Keyspace<V>, name: string, current: CataloguedNamespace, onDrop: () => void) {
    super(core, keyspace)
    this.name = name
    this.#core = core
    this.#keyspace = keyspace
    this.#current = current
    this.#onDrop = onDrop
    keyspaces.set(this, keyspace)
    keyspace.followBy(() => {
      this.follow()
    })
  }

  /** How the store knows it. */
  get current(): CataloguedNamespace {
    return this.#current
  }

  /** Sees whether another handle has cleared or dropped it. */
  follow(): void {
    const { session, catalogue } = this.#core
    const changes = session.engine.catalogueChanges(session.handle)
    // Closed, if it is below 0: whatever is about to be done says so.
    if (changes < 0 || changes === this.#seen) return
    const found = catalogue.find(this.name)
    this.#seen = changes
    if (found?.version === this.#current.version) return
    if (found?.record.born === this.#current.record.born) {
      this.#current = found
      this.#keyspace.moveTo(found.record.id)
    } else {
      this.#onDrop()
      this.#keyspace.drop(this.name)
    }
  }

  /**
   * Without a range: removes everything, at once and as a whole, and what it took up in the background. With one: as Table.clearSync.
   * Durable on return. In a full store, which has no room for that: entry by entry. @returns how many entries there were
   */
  override clearSync(range?: RangeOptions<K>): number {
    return range === undefined ? this.#renew() : super.clearSync(range)
  }

  /** As clearSync. */
  override async clear(range?: RangeOptions<K>): Promise<number> {
    return range === undefined ? Promise.resolve(this.#renew()) : super.clear(range)
  }

  /** Removes the namespace, at once and as a whole. It cannot be used afterwards; one of the same name can be made anew. Durable. */
  drop(): void {
    this.#assertWritable()
    const removed = this.#orMakeRoom(() => this.#core.catalogue.remove(this.name, this.#current))
    if (!removed) throw changedElsewhere(this.name)
    this.tellCleared()
    this.#onDrop()
    this.#keyspace.drop(this.name)
    this.#core.janitor.lookAt(Date.now())
  }

  #renew(): number {
    this.#assertWritable()
    const count = this.count()
    const renewed = this.#orMakeRoom(() => this.#core.catalogue.renew(this.name, this.#current))
    if (renewed === undefined) throw changedElsewhere(this.name)
    this.#current = renewed
    this.#keyspace.moveTo(renewed.record.id)
    this.tellCleared()
    this.#core.janitor.lookAt(Date.now())
    return count
  }

  /** A full store takes no puts, not even those of the catalogue; removing entries it always takes. */
  #orMakeRoom<T>(change: () => T): T {
    try {
      return change()
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_FULL')) throw error
      super.clearSync({})
      return change()
    }
  }

  #assertWritable(): void {
    this.#core.session.assertOpen()
    this.#core.gate.assertOutside()
    this.follow()
    this.#keyspace.assertNotDropped()
  }
}

/**
 * Where a namespace lies, for those that read or write it in other ways than its own methods.
 * @throws TypeError if it is none, or one of another store
 */
export function keyspaceOf<V, K>(namespace: Namespace<V, K>, core: Core): Keyspace<V> {
  const keyspace = keyspaces.get(namespace)
  if (keyspace?.session === core.session) return keyspace as Keyspace<V>
  throw new TypeError('A namespace of this store is needed: what its method namespace has returned')
}

function changedElsewhere(name: string): SealogError {
  return new SealogError(
    'ERR_SEALOG_CONFLICT',
    `The namespace '${name}' was cleared or dropped elsewhere; open it again`,
  )
}

import type { Key } from './codec/keys.ts'
import type { Core } from './core.ts'
import type { Keyspace } from './keyspace.ts'
import { warnOfLeak } from './leak.ts'
import { keyspaceOf, type Namespace } from './namespace.ts'
import { ReadView } from './read-view.ts'
import type { SnapshotRef } from './snapshot-ref.ts'

const forgotten = new FinalizationRegistry<SnapshotRef>((ref) => {
  if (!ref.released && !ref.session.closed) warnOfLeak('A snapshot was not released')
  ref.release()
})

/**
 * The store as it was at one moment, whatever is written meanwhile; what had expired then is not there. Taken in constant time. It
 * holds what is superseded, so release it: `using snapshot = db.snapshot()`.
 */
export class Snapshot<V = unknown, K = Key> extends ReadView<V, K> {
  readonly #ref: SnapshotRef
  readonly #core: Core

  /** For Store. */
  constructor(core: Core, keyspace: Keyspace<V>, ref: SnapshotRef) {
    super(keyspace, ref)
    this.#core = core
    this.#ref = ref
    forgotten.register(this, ref, ref)
  }

  /** The sequence number of the last commit that it has. */
  get version(): number {
    return this.#ref.version
  }

  get released(): boolean {
    return this.#ref.released
  }

  /** What a namespace had at that moment. It is released with the snapshot. */
  namespace<V2, K2>(namespace: Namespace<V2, K2>): ReadView<V2, K2> {
    const keyspace = keyspaceOf(namespace, this.#core)
    const then = this.#core.catalogue.find(namespace.name, this.#ref.id)
    // Another one may have had the name.
    const id = then?.record.born === namespace.current.record.born ? then.record.id : emptyId
    return new NamespaceView<V2, K2>(keyspace.at(id), this.#ref)
  }

  release(): void {
    forgotten.unregister(this.#ref)
    this.#ref.release()
  }

  [Symbol.dispose](): void {
    this.release()
  }
}

/** An id that no namespace gets: nothing is there. */
const emptyId = 2 ** 29

class NamespaceView<V, K> extends ReadView<V, K> {}

/** Writes, each in its synchronous and its promise form, held against the model. */
import type { BatchOperation, Key, Store } from '../../src/index.ts'
import { compareKeys } from '../support/key-model.ts'
import { expectError, expectSame, expectTrue, isExpected, show } from './compare.ts'
import { givenKey, spoilKey } from './keys.ts'
import type { Change, Model } from './model.ts'
import type { System } from './system.ts'
import { spoilValue } from './values.ts'

export type Write = Change | { readonly type: 'batch'; readonly changes: readonly Change[] }

const full = 'ERR_SEALOG_FULL'

/** What is given to a call: copies that are the caller's own, spoilt as soon as the call has returned. */
class Given {
  readonly #copies: BatchOperation[] = []

  operation(change: Change): BatchOperation {
    const key = givenKey(change.key)
    const copy: BatchOperation =
      change.type === 'del' ? { type: 'del', key } : { type: 'put', key, value: change.value.make() }
    this.#copies.push(copy)
    return copy
  }

  *operations(changes: readonly Change[]): Generator<BatchOperation> {
    for (const change of changes) yield this.operation(change)
  }

  spoil(): void {
    for (const copy of this.#copies) {
      spoilKey(copy.key)
      if (copy.type === 'put') spoilValue(copy.value)
    }
  }
}

function callSync(store: Store, write: Write, given: Given): unknown {
  if (write.type === 'batch') {
    store.batchSync(
      write.changes.length % 2 === 0 ? [...given.operations(write.changes)] : given.operations(write.changes),
    )
    return undefined
  }
  const operation = given.operation(write)
  if (operation.type === 'del') return store.removeSync(operation.key)
  store.putSync(operation.key, operation.value)
  return undefined
}

function callPromise(store: Store, write: Write, given: Given): Promise<unknown> {
  if (write.type === 'batch') return store.batch(given.operations(write.changes))
  const operation = given.operation(write)
  return operation.type === 'del' ? store.remove(operation.key) : store.put(operation.key, operation.value)
}

const changesOf = (write: Write): readonly Change[] => (write.type === 'batch' ? write.changes : [write])

/** Whether the store shows that changes were made; undefined if they change nothing that could be seen. */
function seen(changes: readonly Change[], model: Model, store: Store): boolean | undefined {
  for (const { key } of changes) {
    const last = changes.findLast((each) => compareKeys(each.key, key) === 0)
    if (last?.type === 'put') return (store.getEntry(key)?.version ?? 0) > model.version
    if (model.has(key)) return !store.has(key)
  }
  return undefined
}

function apply(changes: readonly Change[], model: Model, store: Store): void {
  for (const change of changes) {
    if (change.type === 'del') model.remove(change.key)
    else model.put(change.key, change.value, Infinity)
  }
  const before = model.version
  for (const { key } of changes) {
    const entry = model.get(key)
    if (entry?.version !== Infinity) continue
    const version = store.getEntry(key)?.version ?? 0
    expectTrue(version > before, `the version ${version} of ${show(key)} is not greater than ${before}`)
    model.put(key, entry.value, version)
    model.version = Math.max(model.version, version)
  }
}

/** @returns whether it was done; a store that has no room may refuse */
export function writeSync(write: Write, model: Model, system: System): boolean {
  const { store } = system
  const changes = changesOf(write)
  const removed = write.type === 'del' ? model.has(write.key) : undefined
  const given = new Given()
  try {
    expectSame(callSync(store, write, given), removed, `the answer of ${write.type}`)
  } catch (error) {
    if (!isExpected(error, full)) throw error
    system.expectFull(changes)
    return false
  } finally {
    given.spoil()
  }
  apply(changes, model, store)
  return true
}

/** As writeSync, but durable, and answered, later. */
export function writeDeferred(write: Write, model: Model, system: System): boolean {
  const { store } = system
  const changes = changesOf(write)
  const removed = write.type === 'del' ? model.has(write.key) : undefined
  const given = new Given()
  const promise = callPromise(store, write, given)
  given.spoil()
  const done = seen(changes, model, store)
  if (done !== false) apply(changes, model, store)
  else system.expectFull(changes)
  system.expect(promise, write.type, ({ value, error }) => {
    if (done === false || (done === undefined && error !== undefined)) expectError(error, full, 'its error')
    else expectSame({ value, error }, { value: removed, error: undefined }, 'its outcome')
  })
  return done !== false
}

/** What was written by a synchronous call that has returned. */
export function expectDurable({ store, shape }: System): void {
  const { lsn, durableLsn } = store.stats()
  if (shape.medium !== 'os') expectSame(durableLsn, lsn, 'what is durable after a synchronous write')
}

export function writeEither(write: Write, promise: boolean, model: Model, system: System): boolean {
  return promise ? writeDeferred(write, model, system) : writeSync(write, model, system)
}

/** Removes keys: a full store may refuse several at once, but not one. REQUIRES: no snapshot is held. */
export function removeFromFull(keys: readonly Key[], model: Model, system: System): void {
  const changes = keys.map((key): Change => ({ type: 'del', key }))
  if (changes.length > 1 && writeSync({ type: 'batch', changes }, model, system)) return
  for (const change of changes) expectTrue(writeSync(change, model, system), 'a full store refuses to remove an entry')
}

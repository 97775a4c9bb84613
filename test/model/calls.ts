/** Writes, each in its synchronous and its promise form, held against the model. */
import type { BatchOperation, Condition, ExpiryOptions, Key } from '../../src/index.ts'
import type { Table } from '../../src/table.ts'
import { compareKeys } from '../support/key-model.ts'
import { expectError, expectSame, expectTrue, isExpected, Mismatch, show } from './compare.ts'
import { givenKey, spoilKey } from './keys.ts'
import type { Change, Life, Model } from './model.ts'
import type { System } from './system.ts'
import { spoilValue } from './values.ts'

export type Write = Change | { readonly type: 'batch'; readonly changes: readonly Change[] }

const full = 'ERR_SEALOG_FULL'
const farMs = Date.UTC(2100, 0)
const ttlMs = 1e9

export function lifeOptions(life: Life | undefined): ExpiryOptions {
  switch (life) {
    case 'number':
      return { expiresAt: farMs }
    case 'date':
      return { expiresAt: new Date(farMs) }
    case 'ttl':
      return { ttl: ttlMs }
    case 'forever':
      return { ttl: Infinity }
    case 'past':
      return { expiresAt: 1000 }
    case 'kept':
    case undefined:
      return {}
  }
}

/** A wrong time is a mismatch. */
export function expectExpiry(
  found: number | undefined,
  life: Life | undefined,
  { ttlMs: defaultMs }: Model,
  begunMs: number,
): void {
  const lifeMs = life === 'ttl' ? ttlMs : life === undefined ? defaultMs : undefined
  if (lifeMs === undefined) expectSame(found, life === 'number' || life === 'date' ? farMs : undefined, 'expiresAt')
  else if (!(found !== undefined && found >= begunMs + lifeMs && found <= Date.now() + 1 + lifeMs))
    throw new Mismatch(`expiresAt: got ${found}, which is not ${lifeMs} ms from now`)
}

/** What is given to a call: copies that are the caller's own, spoilt as soon as the call has returned. */
class Given {
  readonly #copies: BatchOperation[] = []

  operation(change: Change, model: Model): BatchOperation {
    const key = givenKey(change.key)
    const { condition } = change
    const version = model.get(change.key)?.version ?? 0
    const asked =
      condition === undefined
        ? {}
        : condition === 'absent'
          ? { ifNoExists: true }
          : { ifVersion: condition === 'same' && version > 0 ? version : version + 1 }
    const copy: BatchOperation =
      change.type === 'del'
        ? { type: 'del', key, ...asked }
        : { type: 'put', key, value: change.value.make(), ...lifeOptions(change.life), ...asked }
    this.#copies.push(copy)
    return copy
  }

  *operations(changes: readonly Change[], model: Model): Generator<BatchOperation> {
    for (const change of changes) yield this.operation(change, model)
  }

  spoil(): void {
    for (const copy of this.#copies) {
      spoilKey(copy.key)
      if (copy.type === 'put') spoilValue(copy.value)
    }
  }
}

/** The third argument of put, the second of remove; undefined where there is none. */
function optionsOf(operation: BatchOperation): Condition | undefined {
  const rest = Object.entries(operation).filter(([name]) => !['type', 'key', 'value'].includes(name))
  return rest.length === 0 ? undefined : Object.fromEntries(rest)
}

function callSync(table: Table, write: Write, model: Model, given: Given): unknown {
  if (write.type === 'batch') {
    const operations = given.operations(write.changes, model)
    return table.batchSync(write.changes.length % 2 === 0 ? [...operations] : operations)
  }
  const operation = given.operation(write, model)
  const options = optionsOf(operation)
  if (operation.type === 'del') return table.removeSync(operation.key, options)
  if (options !== undefined) return table.putSync(operation.key, operation.value, options)
  table.putSync(operation.key, operation.value)
  return undefined
}

function callPromise(table: Table, write: Write, model: Model, given: Given): Promise<unknown> {
  if (write.type === 'batch') return table.batch(given.operations(write.changes, model))
  const operation = given.operation(write, model)
  const options = optionsOf(operation)
  if (operation.type === 'del') return table.remove(operation.key, options)
  const { key, value } = operation
  return options === undefined ? table.put(key, value) : table.put(key, value, options)
}

const changesOf = (write: Write): readonly Change[] => (write.type === 'batch' ? write.changes : [write])

/** What the call answers, if it says anything. */
function answerOf(write: Write, model: Model): boolean | undefined {
  if (write.type === 'batch') return write.changes.every((each) => model.holds(each))
  if (write.condition !== undefined) return model.holds(write)
  return write.type === 'del' ? model.has(write.key) : undefined
}

/** Whether the store shows that changes were made; undefined if they change nothing that could be seen. */
function seen(changes: readonly Change[], model: Model, table: Table): boolean | undefined {
  for (const { key } of changes) {
    const last = changes.findLast((each) => compareKeys(each.key, key) === 0)
    if (last?.type === 'put' && last.life !== 'past') return (table.getEntry(key)?.version ?? 0) > model.version
    if (model.has(key)) return !table.has(key)
  }
  return undefined
}

/** Changes that were made, since `begunMs`: the model and whoever watches it are told. */
export function apply(changes: readonly Change[], model: Model, system: System, table: Table, begunMs: number): void {
  const watched = system.watchedBefore(model, changes)
  /** By the model's own key. */
  const lives = new Map<Key, Life | undefined>()
  for (const change of changes) {
    if (change.type === 'put' && (change.life !== undefined || model.ttlMs !== undefined)) model.lines++
    if (change.type === 'del') {
      model.remove(change.key)
    } else if (change.life === 'past') {
      model.remove(change.key)
      model.expired++
    } else {
      model.put(change.key, change.value, Infinity, model.get(change.key)?.expires)
      const { key } = model.get(change.key)!
      // What is kept may be what was given just before.
      if (change.life !== 'kept' || !lives.has(key)) lives.set(key, change.life)
    }
  }
  const before = model.version
  for (const { key } of changes) {
    const entry = model.get(key)
    if (entry?.version !== Infinity) continue
    const found = table.getEntry(key)
    const version = found?.version ?? 0
    expectTrue(version > before, `the version ${version} of ${show(key)} is not greater than ${before}`)
    const life = lives.get(entry.key)
    if (life === 'kept') expectSame(found?.expiresAt, entry.expires, 'expiresAt')
    else expectExpiry(found?.expiresAt, life, model, begunMs)
    model.put(key, entry.value, version, found?.expiresAt)
    model.version = Math.max(model.version, version)
  }
  system.tell(model, watched)
}

/** @returns whether it was done; a store that has no room may refuse, and so does one where a condition does not hold */
export function writeSync(write: Write, model: Model, system: System, table: Table = system.store): boolean {
  const changes = changesOf(write)
  const expected = answerOf(write, model)
  const begunMs = Date.now()
  const given = new Given()
  try {
    const answer = callSync(table, write, model, given)
    if (expected !== undefined) expectSame(answer, expected, `the answer of ${write.type}`)
  } catch (error) {
    if (!isExpected(error, full)) throw error
    system.expectFull(changes)
    return false
  } finally {
    given.spoil()
  }
  if (!changes.every((each) => model.holds(each))) return false
  apply(changes, model, system, table, begunMs)
  return true
}

/** As writeSync, but durable, and answered, later. */
export function writeDeferred(write: Write, model: Model, system: System, table: Table = system.store): boolean {
  const changes = changesOf(write)
  const expected = answerOf(write, model)
  const holds = changes.every((each) => model.holds(each))
  const begunMs = Date.now()
  const given = new Given()
  const promise = callPromise(table, write, model, given)
  given.spoil()
  const done = holds ? seen(changes, model, table) : undefined
  if (!holds) expectSame(seen(changes, model, table) ?? false, false, 'whether a refused change is seen')
  else if (done !== false) apply(changes, model, system, table, begunMs)
  else system.expectFull(changes)
  system.expect(promise, write.type, ({ value, error }) => {
    if (done === false || (done === undefined && error !== undefined)) {
      expectError(error, full, 'its error')
    } else {
      expectSame(error, undefined, 'its error')
      if (expected !== undefined) expectSame(value, expected, 'its answer')
    }
  })
  return holds && done !== false
}

/** What was written by a synchronous call that has returned. What the cleaner has moved behind it may not be, yet. */
export function expectDurable({ store, shape }: System, model: Model): void {
  const { durableLsn } = store.stats()
  if (shape.medium !== 'os')
    expectTrue(durableLsn >= model.version, `durable are ${durableLsn} after a write of ${model.version}`)
}

export function writeEither(
  write: Write,
  promise: boolean,
  model: Model,
  system: System,
  table: Table = system.store,
): boolean {
  return (promise ? writeDeferred : writeSync)(write, model, system, table)
}

/** Removes keys: a full store may refuse several at once, but not one. REQUIRES: no snapshot is held. */
export function removeFromFull(keys: readonly Key[], model: Model, system: System, table: Table = system.store): void {
  const changes = keys.map((key): Change => ({ type: 'del', key }))
  if (changes.length > 1 && writeSync({ type: 'batch', changes }, model, system, table)) return
  for (const change of changes)
    expectTrue(writeSync(change, model, system, table), 'a full store refuses to remove an entry')
}

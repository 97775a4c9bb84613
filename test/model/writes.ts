/** Steps that change the store: one by one, in batches, in bursts without a turn of the event loop between, many, too many. */
import fc from 'fast-check'
import { expectDurable, removeFromFull, type Write, writeEither, writeSync } from './calls.ts'
import type { RangeOptions } from '../../src/index.ts'
import type { Table } from '../../src/table.ts'
import { expectSame, expectTrue, isExpected } from './compare.ts'
import { givenKey, type KeySpace } from './keys.ts'
import type { Change, Condition, Life, Model } from './model.ts'
import { spaceKinds } from './shape.ts'
import { step, type WeightedSteps } from './step.ts'
import type { System } from './system.ts'
import type { ValueSpace } from './values.ts'

export const lives = fc.constantFrom<Life[]>('number', 'date', 'ttl', 'forever', 'past', 'past')
const conditions = fc.constantFrom<Condition[]>('same', 'same', 'other', 'absent')

/** Puts, one in five of them with a time, and removes. */
export function anyChange(keys: KeySpace, values: ValueSpace): fc.Arbitrary<Change> {
  const value = fc.oneof({ weight: 4, arbitrary: values.small }, { weight: 1, arbitrary: values.sized })
  return fc.oneof(
    { weight: 12, arbitrary: fc.record({ type: fc.constant('put'), key: keys.valid, value }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('put'), key: keys.short, value, life: lives }) },
    { weight: 5, arbitrary: fc.record({ type: fc.constant('del'), key: keys.valid }) },
  )
}

function anyConditionalChange(keys: KeySpace, values: ValueSpace): fc.Arbitrary<Change> {
  const key = keys.valid
  return fc.oneof(
    anyChange(keys, values),
    fc.record({
      type: fc.constant('put'),
      key,
      value: values.small,
      condition: fc.constantFrom<Condition[]>('same', 'absent', 'absent'),
    }),
    fc.record({ type: fc.constant('del'), key, condition: fc.constantFrom('same', 'other') }),
  )
}

/** Removes a range, slice by slice from its beginning: a store that has no room may stop behind any of them. */
export async function clearRange(
  { gt, gte, lt, lte, prefix }: RangeOptions,
  promise: boolean,
  model: Model,
  system: System,
  table: Table = system.store,
): Promise<void> {
  const given = { gt, gte, lt, lte, prefix }
  const range = Object.fromEntries(Object.entries(given).filter(([, bound]) => bound !== undefined)) as RangeOptions
  const expected = model.range(range)
  let removed: number
  try {
    removed = promise ? await table.clear(range) : table.clearSync(range)
    expectSame(removed, expected.length, 'the entries that clear has removed')
  } catch (error) {
    if (!isExpected(error, 'ERR_SEALOG_FULL')) throw error
    removed = expected.length - table.count(range)
    expectTrue(removed % 512 === 0, `a clear that was refused has removed ${removed} entries`)
  }
  for (const { key } of expected.slice(0, removed)) model.remove(key)
  if (!model.isSpace && removed > 0) system.tellCleared()
}

function emptySpaces(model: Model, system: System): void {
  for (const kind of spaceKinds) {
    const space = model.spaces.get(kind.name)
    if (space === undefined) continue
    const gone = space.entries.map(({ key }) => key)
    removeFromFull(gone, space, system, system.store.namespace(kind.name))
  }
}

export function writeSteps(keys: KeySpace, values: ValueSpace): WeightedSteps[] {
  const key = keys.valid
  const value = fc.oneof({ weight: 4, arbitrary: values.small }, { weight: 1, arbitrary: values.sized })
  const promise = fc.boolean()
  const change = anyChange(keys, values)
  const batch: fc.Arbitrary<Write> = fc.record({
    type: fc.constant('batch'),
    changes: fc.array(change, { maxLength: 8 }),
  })
  const conditionalBatch: fc.Arbitrary<Write> = fc.record({
    type: fc.constant('batch'),
    changes: fc.array(anyConditionalChange(keys, values), { minLength: 1, maxLength: 4 }),
  })
  const burstPart = fc.oneof(
    { weight: 6, arbitrary: fc.record({ write: change, promise }) },
    { weight: 1, arbitrary: fc.record({ write: batch, promise }) },
    { weight: 1, arbitrary: fc.record({ get: key }) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
  )
  const bulk = fc.record({
    first: fc.nat(100),
    count: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 300, max: 700 })),
    long: fc.boolean(),
    bytes: fc.constantFrom(10, 40, 200),
    how: fc.constantFrom('sync', 'promise', 'batch'),
  })

  return [
    step(7, 'put', fc.record({ key, value, promise }), (given, model, system) => {
      writeEither({ type: 'put', ...given }, given.promise, model, system)
    }),
    step(1, 'durable put', fc.record({ key, value }), (given, model, system) => {
      if (writeSync({ type: 'put', ...given }, model, system)) expectDurable(system, model)
    }),
    step(4, 'remove', fc.record({ key, promise }), (given, model, system) => {
      writeEither({ type: 'del', key: given.key }, given.promise, model, system)
    }),
    step(3, 'put with a time', fc.record({ key: keys.short, value, life: lives, promise }), (given, model, system) => {
      writeEither({ type: 'put', ...given }, given.promise, model, system)
    }),
    step(3, 'conditional put', fc.record({ key, value, condition: conditions, promise }), (given, model, system) => {
      writeEither({ type: 'put', ...given }, given.promise, model, system)
    }),
    step(
      2,
      'conditional remove',
      fc.record({ key, condition: fc.constantFrom('same', 'same', 'other'), promise }),
      ({ key, condition, promise }, model, system) => {
        writeEither({ type: 'del', key, condition }, promise, model, system)
      },
    ),
    step(2, 'conditional batch', fc.record({ write: conditionalBatch, promise }), (given, model, system) => {
      writeEither(given.write, given.promise, model, system)
    }),
    step(2, 'clear', fc.record({ range: keys.ranges, promise }), ({ range, promise }, model, system) =>
      clearRange(range, promise, model, system),
    ),
    step(4, 'batch', fc.record({ write: batch, promise }), (given, model, system) => {
      writeEither(given.write, given.promise, model, system)
    }),
    step(3, 'burst', fc.array(burstPart, { minLength: 2, maxLength: 10 }), (parts, model, system) => {
      for (const part of parts) {
        if (part === 'flush') {
          system.expect(system.store.flush(), 'flush', ({ error }) => {
            expectSame(error, undefined, 'its error')
          })
        } else if ('get' in part) {
          system.keep(system.store.get(givenKey(part.get)), model.get(part.get)?.value.expected(), 'get in a burst')
        } else writeEither(part.write, part.promise, model, system)
      }
    }),
    step(1, 'bulk', bulk, ({ first, count, long, bytes, how }, model, system) => {
      // Long keys fill a small store at once; a disk takes its time for each write.
      const few = long || (how === 'sync' && system.shape.medium === 'disk')
      const changes = Array.from({ length: few ? count % 30 : count }, (_, i): Change => ({
        type: 'put',
        key: keys.bulk(first + i, long),
        value: values.ofBytes(bytes),
      }))
      const perWrite = how === 'batch' ? (long ? 4 : 40) : 1
      for (let i = 0; i < changes.length; i += perWrite) {
        const write: Write = how === 'batch' ? { type: 'batch', changes: changes.slice(i, i + perWrite) } : changes[i]!
        if (!writeEither(write, how === 'promise', model, system)) break
      }
      system.checkStats(model)
    }),
    step(
      1,
      'fill',
      fc.record({ bytes: fc.constantFrom(3_000, 14_000, 30_000), first: fc.nat(50), promise }),
      ({ bytes, first, promise }, model, system) => {
        const { capacityBytes } = system.shape
        let count = 0
        const put = (): boolean =>
          writeEither(
            { type: 'put', key: keys.bulk(1_000 + first + count++, false), value: values.ofBytes(bytes) },
            promise,
            model,
            system,
          )
        while (put()) expectTrue(count * bytes < capacityBytes, 'the store does not get full')
        system.checkAll(model)
      },
    ),
    step(1, 'empty', fc.record({ together: fc.constantFrom(1, 8) }), async ({ together }, model, system) => {
      for (const held of system.held.splice(0)) held.iterator.return()
      for (const { snapshot } of system.snapshots.splice(0)) snapshot.release()
      await system.settle()
      emptySpaces(model, system)
      const gone = model.entries.map((entry) => entry.key)
      for (let i = 0; i < gone.length; i += together) removeFromFull(gone.slice(i, i + together), model, system)
      expectSame(system.store.count(), 0, 'the count of an emptied store')
      const room: Write = { type: 'put', key: keys.bulk(0, false), value: values.ofBytes(14) }
      // What has expired is removed in the background; the lines of its list stay until their time comes.
      if (model.lines === 0) expectTrue(writeSync(room, model, system), 'an emptied store takes no entry')
      system.checkAll(model)
    }),
    step(2, 'flush', fc.constant(undefined), async (_, __, { store, shape }) => {
      const { lsn } = store.stats()
      await store.flush()
      if (shape.medium !== 'os') expectTrue(store.stats().durableLsn >= lsn, 'flush has left something behind')
    }),
    step(2, 'settle', fc.constant(undefined), (_, __, system) => system.settle()),
    step(1, 'turn', fc.constant(undefined), () => new Promise((resolve) => setImmediate(resolve))),
  ]
}

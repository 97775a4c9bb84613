/** Steps that change the store: one by one, in batches, in bursts without a turn of the event loop between, many, too many. */
import fc from 'fast-check'
import { expectDurable, removeFromFull, type Write, writeEither, writeSync } from './calls.ts'
import { expectSame, expectTrue } from './compare.ts'
import { givenKey, type KeySpace } from './keys.ts'
import type { Change } from './model.ts'
import { step, type WeightedSteps } from './step.ts'
import type { ValueSpace } from './values.ts'

export function writeSteps(keys: KeySpace, values: ValueSpace): WeightedSteps[] {
  const key = keys.valid
  const value = fc.oneof({ weight: 4, arbitrary: values.small }, { weight: 1, arbitrary: values.sized })
  const promise = fc.boolean()
  const change: fc.Arbitrary<Change> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ type: fc.constant('put'), key, value }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('del'), key }) },
  )
  const batch: fc.Arbitrary<Write> = fc.record({
    type: fc.constant('batch'),
    changes: fc.array(change, { maxLength: 8 }),
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
      if (writeSync({ type: 'put', ...given }, model, system)) expectDurable(system)
    }),
    step(4, 'remove', fc.record({ key, promise }), (given, model, system) => {
      writeEither({ type: 'del', key: given.key }, given.promise, model, system)
    }),
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
      await system.settle()
      const gone = model.entries.map((entry) => entry.key)
      for (let i = 0; i < gone.length; i += together) removeFromFull(gone.slice(i, i + together), model, system)
      expectSame(system.store.count(), 0, 'the count of an emptied store')
      const room: Write = { type: 'put', key: keys.bulk(0, false), value: values.ofBytes(14) }
      expectTrue(writeSync(room, model, system), 'an emptied store takes no entry')
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

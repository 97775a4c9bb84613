/** Steps that must be refused and change nothing: values, batches, second openers. */
import fc from 'fast-check'
import { type BatchOperation, type Key, open, openAsync, type Store } from '../../src/index.ts'
import { expectError, expectRejection, expectSame, expectThrow, isExpected, show } from './compare.ts'
import type { KeySpace } from './keys.ts'
import type { Model } from './model.ts'
import { optionsOf } from './shape.ts'
import { step, type WeightedSteps } from './step.ts'
import type { System } from './system.ts'
import type { ValueSpace } from './values.ts'

function expectUnchanged(before: number, model: Model, { store }: System): void {
  const { lsn, space } = store.stats()
  // But for what is removed in the background, and, where free segments are scarce, moved by the cleaner.
  if (model.expired === 0 && !model.garbage && space.free > space.segments / 2)
    expectSame(lsn, before, 'the lsn after a refusal')
  expectSame(store.count(), model.entries.length, 'the count after a refusal')
}

export function refusalSteps(keys: KeySpace, values: ValueSpace): WeightedSteps[] {
  const key = keys.valid
  // Without properties: storing a new list of them would be refused first where the store is full.
  const good = fc.record({ key, value: fc.constant(values.ofBytes(20)) })
  const shapes = ['type', 'no object', 'key', 'value'] as const

  return [
    step(1, 'bad value', fc.record({ key, bad: values.bad }), async ({ key, bad }, model, system) => {
      const { store } = system
      const { lsn } = store.stats()
      const { value, error } = bad
      const batch: BatchOperation[] = [
        { type: 'del', key },
        { type: 'put', key, value },
      ]
      expectThrow(
        () => {
          store.putSync(key, value)
        },
        error,
        'putSync of what is no value',
      )
      expectThrow(
        () => {
          store.batchSync(batch)
        },
        error,
        'batchSync with what is no value',
      )
      await expectRejection(() => store.put(key, value), error, 'put of what is no value')
      await expectRejection(() => store.batch(batch), error, 'batch with what is no value')
      expectUnchanged(lsn, model, system)
    }),
    step(values.tooLarge ? 1 : 0, 'too large', good, async ({ key }, model, system) => {
      const { store } = system
      const value = values.tooLarge?.make()
      // A store without any room says that first.
      const refused = (error: unknown): void => {
        if (isExpected(error, 'ERR_SEALOG_FULL')) system.expectFull([{ type: 'put', key, value: values.ofBytes(0) }])
        else expectError(error, 'ERR_SEALOG_VALUE_TOO_LARGE', 'a value that is too large')
      }
      for (const call of [
        (): Promise<void> => store.put(key, value),
        (): Promise<unknown> => store.batch([{ type: 'put', key, value }]),
        // eslint-disable-next-line @typescript-eslint/require-await
        async (): Promise<void> => {
          store.putSync(key, value)
        },
      ]) {
        let error: unknown
        try {
          await call()
        } catch (caught) {
          error = caught
        }
        refused(error)
      }
      expectSame(store.has(key), model.has(key), 'whether the key of a value that is too large is there')
      system.checkStats(model)
    }),
    step(
      1,
      'bad batch',
      fc.record({ good, bad: keys.bad, what: fc.constantFrom(...shapes) }),
      async ({ good, bad, what }, model, system) => {
        const { store } = system
        const wrong: Record<(typeof shapes)[number], unknown> = {
          type: { type: 'remove', key: good.key },
          'no object': null,
          key: { type: 'del', key: bad.key },
          value: { type: 'put', key: good.key, value: undefined },
        }
        const operations = (): BatchOperation[] =>
          [{ type: 'put', key: good.key, value: good.value.make() }, wrong[what]] as BatchOperation[]
        const error = what === 'key' ? bad.error : 'TypeError'
        const before = store.getEntry(good.key)?.version
        expectThrow(
          () => {
            store.batchSync(operations())
          },
          error,
          'a wrong batchSync',
        )
        await expectRejection(() => store.batch(operations()), error, 'a wrong batch')
        expectSame(store.getEntry(good.key)?.version, before, 'the version after a wrong batch')
        system.checkStats(model)
      },
    ),
    step(1, 'bad key to write', fc.record({ good, bad: keys.bad }), async ({ good, bad }, model, system) => {
      const { store } = system
      const wrong = bad.key as Key
      expectThrow(
        () => {
          store.putSync(wrong, good.value.make())
        },
        bad.error,
        'putSync with what is no key',
      )
      await expectRejection(() => store.put(wrong, good.value.make()), bad.error, 'put with what is no key')
      await expectRejection(() => store.remove(wrong), bad.error, 'remove with what is no key')
      system.checkStats(model)
    }),
    step(1, 'second opener', fc.boolean(), async (asynchronous, model, system) => {
      const { path, shape } = system
      const other = { keys: shape.keys === 'utf8' ? 'binary' : 'utf8' } as const
      const attempt = (options: object): Promise<Store> =>
        asynchronous
          ? openAsync(path, options)
          : // eslint-disable-next-line @typescript-eslint/require-await
            (async () => open(path, options))()
      for (const [options, error] of [
        [{ ...optionsOf(shape), checkpointBytes: '77KiB' }, 'ERR_SEALOG_LOCKED'],
        [{ errorIfExists: true }, 'ERR_SEALOG_EXISTS'],
        [{ ...other, wrong: true }, 'TypeError'],
      ] as const) {
        await expectRejection(() => attempt(options), error, `a second opener with ${show(options)}`)
      }
      system.checkStats(model)
    }),
  ]
}

/** What every call of a store must throw, or reject with; calls with keys and values that are right. */
export async function expectAllRefused(
  store: Store,
  given: { readonly key: Key; readonly value: unknown },
  error: 'ERR_SEALOG_CLOSED' | 'ERR_SEALOG_READONLY',
): Promise<void> {
  const { key, value } = given
  const operations: BatchOperation[] = [{ type: 'put', key, value }]
  const writes: (() => unknown)[] = [
    () => {
      store.putSync(key, value)
    },
    () => store.removeSync(key),
    () => {
      store.batchSync(operations)
    },
    () => store.clearSync(),
    () => {
      store.transactionSync((tx) => {
        tx.put(key, value)
      })
    },
  ]
  const reads: (() => unknown)[] = [
    () => store.get(key),
    () => store.has(key),
    () => store.getEntry(key),
    () => store.getBinary(key),
    () => store.getMany([]),
    () => store.range(),
    () => store.keys({ limit: 0 }),
    () => store.values({ gte: key }),
    () => store.count(),
    () => store[Symbol.iterator](),
    () => store.stats(),
    () => store.snapshot(),
    () => store.namespace('absent'),
    () => store.namespaces(),
    () => store.watch(),
  ]
  for (const call of error === 'ERR_SEALOG_CLOSED' ? [...writes, ...reads] : writes)
    expectThrow(call, error, `a call of a store that refuses (${call.toString()})`)
  for (const call of [
    () => store.put(key, value),
    () => store.remove(key),
    () => store.batch(operations),
    () => store.clear({ gte: key }),
    () =>
      store.transaction((tx) => {
        tx.put(key, value)
      }),
    () => store.flush(),
  ])
    await expectRejection(call, error, `a promise of a store that refuses (${call.toString()})`)
}

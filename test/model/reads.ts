/** Steps that read: keys, many keys, ranges in all forms, iterators that are held while others write. */
import fc from 'fast-check'
import type { Key, RangeIterator, RangeOptions, Store } from '../../src/index.ts'
import { expectSame, expectThrow } from './compare.ts'
import { givenKey, type KeySpace, spoilKey } from './keys.ts'
import type { ModelEntry } from './model.ts'
import { step, type WeightedSteps } from './step.ts'
import type { Held, System } from './system.ts'
import { spoilValue } from './values.ts'

export type Form = 'range' | 'keys' | 'values' | 'iterator'

/** Bounds that are the caller's own, and are spoilt once the call is over. */
function callRange(store: Store, form: Form, options: RangeOptions): RangeIterator<unknown> {
  const given = Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      name === 'reverse' || name === 'limit' || name === 'offset' ? (value as unknown) : givenKey(value as Key),
    ]),
  ) as RangeOptions
  try {
    return form === 'iterator' ? store[Symbol.iterator]() : store[form](given)
  } finally {
    for (const bound of [given.gt, given.gte, given.lt, given.lte, given.prefix]) {
      if (bound !== undefined) spoilKey(bound)
    }
  }
}

export function expectedOf(form: Form, entries: readonly ModelEntry[]): unknown[] {
  return entries.map(({ key, value }) =>
    form === 'keys' ? key : form === 'values' ? value.expected() : { key, value: value.expected() },
  )
}

export function expectEnded(held: Held): void {
  expectSame(held.iterator.next(), { done: true, value: undefined }, 'a step of an ended iterator')
}

/** One step of a held iterator, whatever has become of its store. */
function advance(held: Held, system: System): void {
  if (held.ended) {
    expectEnded(held)
    return
  }
  if (held.limit > 0 && held.expected === undefined && !held.store.closed) held.expected = held.expect()
  const left = held.expected === undefined ? held.limit > 0 : held.at < held.expected.length
  if (!left) {
    held.ended = true
    expectEnded(held)
  } else if (held.store.closed) {
    expectThrow(() => held.iterator.next(), 'ERR_SEALOG_CLOSED', 'a step of an iterator of a closed store')
    held.iterator.return()
    held.ended = true
  } else {
    const { value } = held.iterator.next() as { value: unknown }
    system.keep(value, held.expected?.[held.at++], 'a step of an iterator')
  }
}

export function readSteps(keys: KeySpace): WeightedSteps[] {
  const key = keys.valid
  const form = fc.constantFrom<Form[]>('range', 'keys', 'values', 'iterator')
  const options: fc.Arbitrary<RangeOptions> = fc.oneof(
    { weight: 4, arbitrary: keys.ranges },
    { weight: 1, arbitrary: fc.constant({}) },
  )
  const range = fc
    .record({ form, options })
    .map((given) => (given.form === 'iterator' ? { ...given, options: {} } : given))
  const which = fc.nat(5)

  return [
    step(6, 'get', fc.record({ key }), (given, model, system) => {
      const { store } = system
      const entry = model.get(given.key)
      const value = entry?.value.expected()
      const ask = (): Key => givenKey(given.key)
      system.keep(store.get(ask()), value, 'get')
      expectSame(store.has(ask()), entry !== undefined, 'has')
      const versioned = store.getEntry(ask())
      system.keep(versioned, entry && { value, version: entry.version, expiresAt: entry.expires }, 'getEntry')
      const bytes = store.getBinary(ask())
      expectSame(bytes !== undefined, entry !== undefined, 'whether getBinary finds it')
      if (bytes !== undefined) system.keep(bytes, Buffer.from(bytes), 'getBinary')
    }),
    step(2, 'getMany', fc.array(key, { maxLength: 8 }), (given, model, system) => {
      system.keep(
        system.store.getMany(given.map(givenKey)),
        given.map((each) => model.get(each)?.value.expected()),
        'getMany',
      )
    }),
    step(6, 'range', range, (given, model, system) => {
      const found = [...callRange(system.store, given.form, given.options)]
      system.keep(found, expectedOf(given.form, model.range(given.options)), given.form)
    }),
    step(2, 'left range', fc.record({ range, after: fc.nat(4) }), ({ range: given, after }, model, system) => {
      const expected = expectedOf(given.form, model.range(given.options))
      let count = 0
      for (const value of callRange(system.store, given.form, given.options)) {
        system.keep(value, expected[count++], 'an entry of a range')
        if (count > after) break
      }
      expectSame(count, Math.min(expected.length, after + 1), 'entries before a range was left')
    }),
    step(3, 'count', options, (given, model, { store }) => {
      expectSame(store.count(given), model.range(given).length, 'count')
    }),
    step(3, 'open iterator', range, (given, model, system) => {
      if (system.held.length >= 6) return
      const { store } = system
      system.held.push({
        iterator: callRange(store, given.form, given.options),
        store,
        limit: given.options.limit ?? Infinity,
        expected: undefined,
        expect: () => expectedOf(given.form, model.range(given.options)),
        at: 0,
        ended: false,
      })
    }),
    step(6, 'step iterator', fc.record({ which, steps: fc.constantFrom(1, 1, 2, 3, 600) }), (given, model, system) => {
      const held = system.held[given.which % Math.max(1, system.held.length)]
      for (let i = 0; held && i < given.steps && !held.ended; i++) advance(held, system)
      if (!system.store.closed) system.checkStats(model)
    }),
    step(2, 'end iterator', fc.record({ which, dispose: fc.boolean() }), (given, model, system) => {
      const [held] = system.held.splice(given.which % Math.max(1, system.held.length), 1)
      if (held === undefined) return
      if (given.dispose) held.iterator[Symbol.dispose]()
      else expectSame(held.iterator.return(), { done: true, value: undefined }, 'the answer of return()')
      expectEnded(held)
      system.checkStats(model)
    }),
    step(2, 'check all', fc.constant(undefined), (_, model, system) => {
      system.checkAll(model)
    }),
    step(1, 'spoil', fc.constant(undefined), (_, model, system) => {
      for (const value of system.takeKept()) spoilValue(value)
      system.checkAll(model)
    }),
    step(1, 'bad range', fc.nat(9), (n, _, { store }) => {
      const bad: [unknown, 'TypeError' | 'RangeError'][] = [
        [{ limit: -1 }, 'RangeError'],
        [{ limit: 1.5 }, 'RangeError'],
        [{ limit: '1' }, 'TypeError'],
        [{ offset: -1 }, 'RangeError'],
        [{ offset: '1' }, 'TypeError'],
        [{ reverse: 1 }, 'TypeError'],
        [{ gt: 'a', gte: 'a' }, 'TypeError'],
        [{ lt: 'a', lte: 'a' }, 'TypeError'],
        [{ from: 'a' }, 'TypeError'],
        [null, 'TypeError'],
      ]
      const [options, error] = bad[n]!
      for (const name of ['range', 'keys', 'values', 'count'] as const)
        expectThrow(() => store[name](options as RangeOptions), error, `a wrong range given to ${name}`)
    }),
    step(1, 'bad key', keys.bad, ({ key: given, error }, model, { store }) => {
      const bad = given as Key
      for (const call of [
        () => store.get(bad),
        () => store.has(bad),
        () => store.getEntry(bad),
        () => store.getBinary(bad),
        () => store.getMany([bad]),
        () => store.removeSync(bad),
        () => store.range({ gt: bad }),
        () => store.keys({ lte: bad }),
        () => store.count({ gte: bad, reverse: true }),
      ]) {
        expectThrow(call, error, 'a call with what is no key')
      }
      expectSame(store.count(), model.entries.length, 'the entries after wrong keys')
    }),
  ]
}

/** Steps on namespaces: maps of their own, with keys and values of their own, independent of the default one. */
import fc from 'fast-check'
import type { Key, Namespace, NamespaceOptions, RangeOptions } from '../../src/index.ts'
import { type Write, writeEither } from './calls.ts'
import { expectSame, expectThrow, expectTrue, isExpected } from './compare.ts'
import { givenKey, keySpace } from './keys.ts'
import { Model, type ModelEntry } from './model.ts'
import { type Shape, type SpaceKind, spaceKinds } from './shape.ts'
import { step, type WeightedSteps } from './step.ts'
import type { System } from './system.ts'
import { valueSpace } from './values.ts'
import { anyChange, clearRange } from './writes.ts'

/** What the catalogue of namespaces is about to write must be refused for lack of room. */
function expectNoRoom(error: unknown, system: System): void {
  if (!isExpected(error, 'ERR_SEALOG_FULL')) throw error
  const value = { bytes: 200, make: () => '', expected: () => '' }
  system.expectFull([1, 2, 3].map((key) => ({ type: 'put', key, value })))
}

/** The namespace, made if it was not there; undefined if there is no room for that. */
function openSpace(kind: SpaceKind, model: Model, system: System): { namespace: Namespace; space: Model } | undefined {
  const { name, ...options } = kind
  try {
    const known = model.spaces.get(name)
    // Recorded options need not be repeated.
    const namespace = system.store.namespace(name, known && name.length % 2 === 0 ? {} : options)
    const space = known ?? new Model(kind)
    model.spaces.set(name, space)
    return { namespace, space }
  } catch (error) {
    if (model.spaces.has(name)) throw error
    expectNoRoom(error, system)
    return undefined
  }
}

interface OfKind<T> {
  readonly kind: SpaceKind
  readonly given: T
}

export function spaceSteps(shape: Shape): WeightedSteps[] {
  const inAny = <T>(givenIn: (kind: SpaceKind) => fc.Arbitrary<T>): fc.Arbitrary<OfKind<T>> =>
    fc.oneof(...spaceKinds.map((kind) => givenIn(kind).map((given) => ({ kind, given }))))
  const parts = new Map(
    spaceKinds.map((kind) => {
      const { short, ...others } = keySpace(kind.keys)
      // Long keys have no room beside what is before them.
      const keys = { ...others, short, valid: short }
      return [kind, { keys, values: valueSpace({ ...shape, keys: kind.keys, encoding: kind.encoding }) }]
    }),
  )
  const partsOf = (kind: SpaceKind): ReturnType<typeof parts.get> & object => parts.get(kind)!
  const keyIn = (kind: SpaceKind): fc.Arbitrary<Key> => partsOf(kind).keys.valid
  const rangeIn = (kind: SpaceKind): fc.Arbitrary<RangeOptions> => partsOf(kind).keys.ranges
  const promise = fc.boolean()
  const kind = fc.constantFrom(...spaceKinds)

  return [
    step(
      6,
      'namespace write',
      inAny((each) => {
        const change = anyChange(partsOf(each).keys, partsOf(each).values)
        const batch = fc.record({ type: fc.constant('batch' as const), changes: fc.array(change, { maxLength: 6 }) })
        return fc.record({ write: fc.oneof<fc.Arbitrary<Write>[]>(change, change, batch), promise })
      }),
      ({ kind, given: { write, promise } }, model, system) => {
        const open = openSpace(kind, model, system)
        if (open) writeEither(write, promise, open.space, system, open.namespace)
      },
    ),
    step(
      4,
      'namespace read',
      inAny((each) => fc.record({ key: keyIn(each), range: rangeIn(each) })),
      ({ kind, given: { key, range } }, model, system) => {
        const open = openSpace(kind, model, system)
        if (open === undefined) return
        const { namespace, space } = open
        const entry = space.get(key)
        system.keep(namespace.get(givenKey(key)), entry?.value.expected(), 'get in a namespace')
        expectSame(namespace.has(key), entry !== undefined, 'has in a namespace')
        expectSame(namespace.getEntry(key)?.version, entry?.version, 'the version in a namespace')
        expectSame(namespace.getEntry(key)?.expiresAt, entry?.expires, 'the time in a namespace')
        const entries = shown(space.range(range))
        system.keep([...namespace.range(range)], entries, 'a range in a namespace')
        expectSame(
          namespace.keys(range).toArray(),
          entries.map((each) => each.key),
          'keys in a namespace',
        )
        expectSame(namespace.count(range), entries.length, 'the count in a namespace')
      },
    ),
    step(
      1,
      'namespace clear of a range',
      inAny((each) => fc.record({ range: rangeIn(each), promise })),
      ({ kind, given: { range, promise } }, model, system) => {
        const open = openSpace(kind, model, system)
        return open && clearRange(range, promise, open.space, system, open.namespace)
      },
    ),
    step(1, 'namespace clear', fc.record({ kind, promise }), async ({ kind, promise }, model, system) => {
      const open = openSpace(kind, model, system)
      if (open === undefined) return
      const { namespace, space } = open
      const [before, then] = [system.store.snapshot(), [...space.entries]]
      try {
        const removed = promise ? await namespace.clear() : namespace.clearSync()
        expectSame(removed, space.entries.length, 'the entries of a namespace that was cleared')
      } catch (error) {
        expectNoRoom(error, system)
        keepLeft(space, namespace)
        return
      } finally {
        expectSame([...before.namespace(namespace)], shown(then), 'what a snapshot has of a cleared namespace')
        before.release()
      }
      space.entries.length = 0
      model.garbage = true
      expectSame(namespace.count(), 0, 'the count of a cleared namespace')
    }),
    step(1, 'namespace drop', fc.record({ kind, again: fc.boolean() }), ({ kind, again }, model, system) => {
      const open = openSpace(kind, model, system)
      if (open === undefined) return
      const { namespace, space } = open
      try {
        namespace.drop()
      } catch (error) {
        expectNoRoom(error, system)
        keepLeft(space, namespace)
        return
      }
      model.spaces.delete(kind.name)
      model.garbage = true
      expectThrow(() => namespace.count(), 'ERR_SEALOG_CLOSED', 'the count of a dropped namespace')
      if (again) expectSame(openSpace(kind, model, system)?.namespace.count() ?? 0, 0, 'the count of one made anew')
    }),
    step(1, 'namespaces', kind, (kind, model, { store }) => {
      expectSame(store.namespaces(), [...model.spaces.keys()].sort(), 'namespaces()')
      for (const options of [{ encoding: 'utf8' }, { ttl: 0 }, { wrong: 1 }, { ttl: Infinity }])
        expectTrue(
          throws(() => store.namespace(kind.name, options as NamespaceOptions)),
          'wrong options are taken',
        )
      if (!model.spaces.has(kind.name)) return
      const other = { keys: kind.keys === 'utf8' ? 'binary' : 'utf8' } as const
      expectThrow(() => store.namespace(kind.name, other), 'TypeError', 'options that are not the recorded ones')
    }),
  ]
}

function shown(entries: readonly ModelEntry[]): { key: Key; value: unknown }[] {
  return entries.map(({ key, value }) => ({ key, value: value.expected() }))
}

/** A full store first makes room entry by entry, from the beginning. */
function keepLeft({ entries }: Model, namespace: Namespace): void {
  entries.splice(0, entries.length - namespace.count())
}

function throws(call: () => unknown): boolean {
  try {
    call()
  } catch (error) {
    return isExpected(error, 'TypeError') || isExpected(error, 'RangeError')
  }
  return false
}

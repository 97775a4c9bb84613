/** Steps with snapshots: whatever is written meanwhile, they say what they said. */
import fc from 'fast-check'
import type { Key, RangeOptions } from '../../src/index.ts'
import type { ReadView } from '../../src/read-view.ts'
import { expectSame, expectThrow, expectTrue } from './compare.ts'
import type { KeySpace } from './keys.ts'
import { Model, type ModelEntry } from './model.ts'
import { step, type WeightedSteps } from './step.ts'

function expectView(view: ReadView, entries: readonly ModelEntry[], key: Key, range: RangeOptions): void {
  const then = new Model(undefined, entries)
  const entry = then.get(key)
  const value = entry?.value.expected()
  expectSame(view.get(key), value, 'get of a snapshot')
  expectSame(view.getMany([key]), [value], 'getMany of a snapshot')
  expectSame(view.has(key), entry !== undefined, 'has of a snapshot')
  expectSame(
    view.getEntry(key),
    entry && { value, version: entry.version, expiresAt: entry.expires },
    'getEntry of a snapshot',
  )
  const found = then.range(range).map((each) => ({ key: each.key, value: each.value.expected() }))
  expectSame([...view.range(range)], found, 'a range of a snapshot')
  expectSame(
    [...view.keys(range)],
    found.map((each) => each.key),
    'keys of a snapshot',
  )
  expectSame(
    [...view.values(range)],
    found.map((each) => each.value),
    'values of a snapshot',
  )
  expectSame(view.count(range), found.length, 'the count of a snapshot')
}

export function snapshotSteps(keys: KeySpace): WeightedSteps[] {
  const which = fc.nat(5)
  return [
    step(3, 'open snapshot', fc.constant(undefined), (_, model, system) => {
      if (system.snapshots.length >= 4) return
      const { store } = system
      const snapshot = store.snapshot()
      const { lsn } = store.stats()
      // Meanwhile the cleaner may have moved something.
      expectTrue(
        snapshot.version >= model.version && snapshot.version <= lsn,
        `a snapshot has version ${snapshot.version} of ${lsn}`,
      )
      system.snapshots.push({
        snapshot,
        store,
        entries: [...model.entries],
        spaces: new Map([...model.spaces.values()].map((space) => [space, [...space.entries]])),
      })
      system.checkStats(model)
    }),
    step(
      6,
      'read snapshot',
      fc.record({ which, key: keys.valid, range: fc.oneof(keys.ranges, fc.constant({})) }),
      ({ which, key, range }, model, system) => {
        const held = system.snapshots[which % Math.max(1, system.snapshots.length)]
        if (held === undefined) return
        const { snapshot, store } = held
        if (store.closed) {
          expectThrow(() => snapshot.get(key), 'ERR_SEALOG_CLOSED', 'get of a snapshot of a closed store')
          return
        }
        expectView(snapshot, held.entries, key, range)
        for (const [name, space] of model.spaces) {
          const entries = held.spaces.get(space) ?? []
          const view = snapshot.namespace(store.namespace(name))
          const then = entries.map((each) => ({ key: each.key, value: each.value.expected() }))
          expectSame([...view], then, `namespace ${name} of a snapshot`)
          expectSame(view.count(), then.length, `the count of namespace ${name} of a snapshot`)
          const [first] = entries
          if (first) expectSame(view.get(first.key), first.value.expected(), `get in namespace ${name} of a snapshot`)
        }
      },
    ),
    step(2, 'release snapshot', which, (n, model, system) => {
      const [held] = system.snapshots.splice(n % Math.max(1, system.snapshots.length), 1)
      if (held === undefined) return
      const { snapshot } = held
      if (n % 2 === 0) snapshot.release()
      else snapshot[Symbol.dispose]()
      snapshot.release()
      expectTrue(snapshot.released, 'a released snapshot says that it is not')
      expectThrow(() => snapshot.count(), 'ERR_SEALOG_CLOSED', 'the count of a released snapshot')
      system.checkStats(model)
    }),
  ]
}

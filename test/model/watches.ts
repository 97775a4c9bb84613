/** Steps that watch the default namespace: every change is told, in order, to the one that falls behind an error. */
import fc from 'fast-check'
import type { Change, RangeOptions } from '../../src/index.ts'
import { expectRejection, expectSame, expectTrue } from './compare.ts'
import type { KeySpace } from './keys.ts'
import { step, type WeightedSteps } from './step.ts'
import type { HeldWatch } from './system.ts'

/** Takes everything that is to be told; no more is asked for than there is. */
export async function takeChanges(watch: HeldWatch): Promise<void> {
  for (const { event, versionMin } of watch.queue.splice(0)) {
    const { done, value } = (await watch.changes.next()) as IteratorResult<Change, undefined>
    expectTrue(done !== true, 'a watch has ended with changes to tell')
    const { version, ...told } = { version: 0, ...value }
    expectSame(told, event, 'a change that is watched')
    expectTrue(
      event.type === 'clear' || version >= versionMin,
      `the version ${version} of a watched change is too small`,
    )
  }
  if (watch.overflown)
    await expectRejection(() => watch.changes.next(), 'ERR_SEALOG_OVERFLOW', 'a watch that has fallen behind')
  if (watch.overflown || watch.store.closed)
    expectSame(await watch.changes.next(), { done: true, value: undefined }, 'a step of a watch that has ended')
}

export function watchSteps(keys: KeySpace): WeightedSteps[] {
  const which = fc.nat(5)
  const options = fc.oneof(
    fc.constant({}),
    keys.short.map((key) => ({ key })),
    keys.ranges.map(({ gt, gte, lt, lte, prefix }): RangeOptions => {
      const given = { gt, gte, lt, lte, prefix }
      return Object.fromEntries(Object.entries(given).filter(([, bound]) => bound !== undefined))
    }),
  )
  return [
    step(
      4,
      'watch',
      fc.record({ options, capacity: fc.constantFrom(3, 1024) }),
      ({ options, capacity }, _, { store, watches }) => {
        if (watches.length >= 3) return
        const changes = store.watch(options, { capacity })
        const bounds: RangeOptions = 'key' in options ? { gte: options.key, lte: options.key } : options
        watches.push({ changes, store, options: bounds, capacity, queue: [], overflown: false })
      },
    ),
    step(4, 'take changes', which, async (n, _, { watches }) => {
      const watch = watches[n % Math.max(1, watches.length)]
      if (watch === undefined) return
      await takeChanges(watch)
      if (watch.overflown || watch.store.closed) watches.splice(watches.indexOf(watch), 1)
    }),
    step(2, 'end watch', which, async (n, _, { watches }) => {
      const [watch] = watches.splice(n % Math.max(1, watches.length), 1)
      if (watch === undefined) return
      expectSame(await watch.changes.return?.(), { done: true, value: undefined }, 'the answer of return()')
      expectSame(await watch.changes.next(), { done: true, value: undefined }, 'a step of an ended watch')
    }),
  ]
}

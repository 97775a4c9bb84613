/** Steps that end the store and open it again: here, in another process, read-only. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import type { Child } from './child.ts'
import { expectSame, expectThrow, expectTrue } from './compare.ts'
import type { KeySpace } from './keys.ts'
import { expectAllRefused } from './refusals.ts'
import type { Shape } from './shape.ts'
import { step, type WeightedSteps } from './step.ts'
import type { ValueSpace } from './values.ts'

export function lifecycleSteps(shape: Shape, keys: KeySpace, values: ValueSpace, child: Child): WeightedSteps[] {
  const good = fc.record({ key: keys.valid, value: values.small })

  const steps = [
    step(1, 'reopen', fc.record({ asynchronous: fc.boolean(), settle: fc.boolean() }), async (given, model, system) => {
      const before = system.store
      if (given.settle) await system.settle()
      // Nothing that was promised may get lost by this.
      before.close()
      expectTrue(before.closed, 'a closed store says that it is open')
      if (given.asynchronous) await system.reopenAsync()
      else system.reopen()
      const { outcome, findings } = system.store.recovery
      expectSame({ outcome, findings }, { outcome: 'clean', findings: [] }, 'what recovery has found')
      await system.settle()
      system.checkAll(model)
    }),
    step(1, 'closed', good, async (given, model, system) => {
      system.store.close()
      system.store.close()
      await expectAllRefused(system.store, { key: given.key, value: given.value.make() }, 'ERR_SEALOG_CLOSED')
      system.reopen()
      await system.settle()
      system.checkAll(model)
    }),
    step(1, 'read-only', good, async (given, model, system) => {
      const { path } = system
      system.store.close()
      const before = readFileSync(path)
      system.reopen({ readOnly: true })
      const second = system.open({ readOnly: true })
      expectThrow(() => system.open(), 'ERR_SEALOG_LOCKED', 'a writer beside readers')
      const value = given.value.make()
      await expectAllRefused(system.store, { key: given.key, value }, 'ERR_SEALOG_READONLY')
      system.checkAll(model)
      expectSame([...second.keys()], [...system.store.keys()], 'the keys of the second reader')
      second.close()
      system.store.close()
      expectTrue(readFileSync(path).equals(before), 'a reader has changed the file')
      system.reopen()
      await system.settle()
      system.checkAll(model)
    }),
  ]
  if (shape.encoding === 'custom') return steps
  return [
    ...steps,
    step(1, 'other process', fc.constant(undefined), async (_, model, system) => {
      system.store.close()
      const found = await child.read(system.path)
      expectSame(
        found,
        model.entries.map(({ key, value, version, expires }) => ({ key, value: value.expected(), version, expires })),
        'what another process reads',
      )
      system.reopen()
      await system.settle()
      system.checkAll(model)
    }),
  ]
}

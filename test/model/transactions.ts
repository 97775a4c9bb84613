/** Steps with transactions: what they see is their own, what they leave is all or nothing. */
import { AsyncResource } from 'node:async_hooks'
import fc from 'fast-check'
import type { Key, RangeOptions, Transaction } from '../../src/index.ts'
import type { Table } from '../../src/table.ts'
import { apply, lifeOptions, writeSync } from './calls.ts'
import { expectSame, expectThrow, expectTrue, isExpected } from './compare.ts'
import { amounts, sumOf } from './counters.ts'
import { givenKey, type KeySpace, keySpace } from './keys.ts'
import { type Change, type Life, Model } from './model.ts'
import { expectedOf } from './reads.ts'
import { type Shape, spaceKinds } from './shape.ts'
import { step, type WeightedSteps } from './step.ts'
import type { System } from './system.ts'
import { plainValue, valueSpace, type ValueSpace, type ValueSpec } from './values.ts'

/** The default namespace is ''. */
type Action = { readonly place: string } & (
  | { readonly type: 'put'; readonly key: Key; readonly value: ValueSpec; readonly life: Life | undefined }
  | { readonly type: 'remove' | 'get'; readonly key: Key }
  | { readonly type: 'increment'; readonly key: Key; readonly by: number | bigint }
  | { readonly type: 'range' | 'keys' | 'values' | 'count'; readonly options: RangeOptions }
  | { readonly type: 'outside' }
)
type Part = Action | { readonly type: 'nested'; readonly commits: boolean; readonly actions: readonly Action[] }

class RolledBack extends Error {}

/** What a transaction has come to: the places as it sees them, and what it has changed in each. */
class Draft {
  readonly models: Map<string, Model>
  readonly changes: Map<string, Change[]>

  constructor(
    models: Iterable<readonly [string, Model]>,
    changes: Iterable<readonly [string, readonly Change[]]> = [],
  ) {
    this.models = new Map(
      [...models].map(([place, model]) => [
        place,
        new Model(model.isSpace ? { ttl: model.ttlMs } : undefined, model.entries),
      ]),
    )
    this.changes = new Map([...changes].map(([place, each]) => [place, [...each]]))
  }

  static of(model: Model): Draft {
    return new Draft([['', model], ...model.spaces])
  }

  copy(): Draft {
    return new Draft(this.models, this.changes)
  }

  put(place: string, key: Key, value: ValueSpec, life: Life | undefined): void {
    this.models.get(place)?.put(key, value, Infinity)
    this.#changesOf(place).push({ type: 'put', key, value, life })
  }

  /** @returns whether there was an entry */
  remove(place: string, key: Key): boolean {
    const removed = this.models.get(place)?.remove(key) === true
    if (removed) this.#changesOf(place).push({ type: 'del', key })
    return removed
  }

  #changesOf(place: string): Change[] {
    let changes = this.changes.get(place)
    if (changes === undefined) this.changes.set(place, (changes = []))
    return changes
  }
}

/** One action, its answer held against the draft. */
function act(action: Action, root: Transaction, draft: Draft, system: System): void {
  const { place } = action
  const seen = draft.models.get(place)
  // A namespace that is not there.
  if (seen === undefined) return
  const tx: Transaction = place === '' ? root : root.in(system.store.namespace(place))
  switch (action.type) {
    case 'put':
      tx.put(givenKey(action.key), action.value.make(), lifeOptions(action.life))
      draft.put(place, action.key, action.value, action.life)
      break
    case 'remove':
      expectSame(
        tx.remove(givenKey(action.key)),
        draft.remove(place, action.key),
        'the answer of remove in a transaction',
      )
      break
    case 'get': {
      const value = seen.get(action.key)?.value.expected()
      system.keep(tx.get(givenKey(action.key)), value, 'get in a transaction')
      expectSame(tx.has(action.key), seen.has(action.key), 'has in a transaction')
      expectSame(tx.getMany([action.key]), [value], 'getMany in a transaction')
      expectSame(tx.getBinary(action.key) !== undefined, seen.has(action.key), 'getBinary in a transaction')
      break
    }
    case 'increment': {
      const { key, by } = action
      const encoding = spaceKinds.find(({ name }) => name === place)?.encoding ?? system.shape.encoding
      const sum = sumOf(seen.get(key)?.value.expected(), by, encoding)
      const call = (): unknown => tx.increment(key, by as number)
      if (typeof sum === 'string') {
        expectThrow(call, sum, 'a wrong increment in a transaction')
      } else {
        expectSame(call(), sum, 'increment in a transaction')
        draft.put(place, key, plainValue(sum), seen.has(key) ? 'kept' : undefined)
      }
      break
    }
    case 'count':
      expectSame(tx.count(action.options), seen.range(action.options).length, 'the count in a transaction')
      break
    case 'outside': {
      const { store } = system
      expectThrow(() => store.removeSync(1), 'ERR_SEALOG_TRANSACTION', 'a write past a transaction')
      break
    }
    default: {
      const { type, options } = action
      system.keep([...tx[type](options)], expectedOf(type, seen.range(options)), `${type} in a transaction`)
    }
  }
}

/** All parts; @returns what has come of the draft */
function runSync(parts: readonly Part[], tx: Transaction, draft: Draft, system: System): Draft {
  let now = draft
  for (const part of parts) {
    if (part.type !== 'nested') {
      act(part, tx, now, system)
      continue
    }
    const inner = now.copy()
    const nested = (): void => {
      tx.transactionSync((own) => {
        for (const each of part.actions) act(each, own, inner, system)
        expectThrow(() => tx.count(), 'ERR_SEALOG_TRANSACTION', 'a use of a transaction while a nested one runs')
        if (!part.commits) throw new RolledBack()
      })
    }
    if (part.commits) {
      nested()
      now = inner
    } else expectRolledBack(nested)
  }
  return now
}

async function runAsync(parts: readonly Part[], tx: Transaction, draft: Draft, system: System): Promise<Draft> {
  let now = draft
  for (const part of parts) {
    await Promise.resolve()
    if (part.type !== 'nested') {
      act(part, tx, now, system)
      continue
    }
    const inner = now.copy()
    const nested = tx.transaction(async (own) => {
      for (const each of part.actions) {
        act(each, own, inner, system)
        await Promise.resolve()
      }
      if (!part.commits) throw new RolledBack()
    })
    if (part.commits) await nested
    else await expectAllRolledBack(nested)
    if (part.commits) now = inner
  }
  return now
}

function expectRolledBack(call: () => void): void {
  try {
    call()
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
    return
  }
  expectTrue(false, 'an error that a callback has thrown is lost')
}

async function expectAllRolledBack(nested: Promise<void>): Promise<void> {
  try {
    await nested
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
    return
  }
  expectTrue(false, 'an error that a callback has thrown is lost')
}

/** What was committed, in the model. */
function applyAll(draft: Draft, model: Model, system: System, begunMs: number): void {
  for (const [place, changes] of draft.changes) {
    const table: Table = place === '' ? system.store : system.store.namespace(place)
    apply(changes, place === '' ? model : model.spaces.get(place)!, system, table, begunMs)
  }
}

function actionsIn(place: string, keys: KeySpace, key: fc.Arbitrary<Key>, values: ValueSpace): fc.Arbitrary<Action> {
  const at = fc.constant(place)
  const life = fc.constantFrom<(Life | undefined)[]>(undefined, undefined, undefined, 'number', 'forever')
  const options = fc.oneof(keys.ranges, fc.constantFrom({}, { reverse: true }, { reverse: true, limit: 2, offset: 1 }))
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('put'), place: at, key: keys.short, value: values.small, life }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('remove'), place: at, key }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('get'), place: at, key }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('increment'), place: at, key: keys.short, by: amounts }) },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constantFrom('range', 'keys', 'values', 'count'), place: at, options }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('outside'), place: at }) },
  )
}

export function transactionSteps(shape: Shape, keys: KeySpace, values: ValueSpace): WeightedSteps[] {
  const own = actionsIn('', keys, keys.valid, values)
  const anywhere = fc.oneof(
    { weight: 4, arbitrary: own },
    ...spaceKinds.map((kind) => {
      const ownKeys = keySpace(kind.keys)
      const ownValues = valueSpace({ ...shape, keys: kind.keys, encoding: kind.encoding })
      return { weight: 1, arbitrary: actionsIn(kind.name, ownKeys, ownKeys.short, ownValues) }
    }),
  )
  const partsOf = (action: fc.Arbitrary<Action>): fc.Arbitrary<Part[]> => {
    const nested = fc.record({
      type: fc.constant('nested'),
      commits: fc.boolean(),
      actions: fc.array(action, { maxLength: 5 }),
    })
    const part = fc.oneof({ weight: 5, arbitrary: action }, { weight: 1, arbitrary: nested })
    return fc.array(part, { minLength: 1, maxLength: 10, size: 'max' })
  }
  const parts = fc.oneof(partsOf(own), partsOf(anywhere))
  const whole = fc.record({ parts, commits: fc.constantFrom(true, true, true, false) })

  /** It was rolled back, or the store is full, and may be: @throws any other error. */
  const expectNotMade = (
    error: unknown,
    { parts, commits }: { readonly parts: readonly Part[]; readonly commits: boolean },
    system: System,
  ): void => {
    if (error instanceof RolledBack && !commits) return
    if (!isExpected(error, 'ERR_SEALOG_FULL')) throw error
    system.expectFull(mostChanges(parts))
  }

  return [
    step(4, 'transactionSync', whole, ({ parts, commits }, model, system) => {
      const begunMs = Date.now()
      let draft = Draft.of(model)
      try {
        const answer = system.store.transactionSync((tx) => {
          draft = runSync(parts, tx, draft, system)
          if (!commits) throw new RolledBack()
          return 'done'
        })
        expectSame(answer, 'done', 'the answer of transactionSync')
      } catch (error) {
        expectNotMade(error, { parts, commits }, system)
        return
      }
      applyAll(draft, model, system, begunMs)
    }),
    step(3, 'transaction', whole, async ({ parts, commits }, model, system) => {
      const begunMs = Date.now()
      const before = Draft.of(model)
      let draft = before
      try {
        // What is removed in the background is no conflict.
        const answer = await system.store.transaction(
          async (tx) => {
            draft = await runAsync(parts, tx, before.copy(), system)
            if (!commits) throw new RolledBack()
            return 'done'
          },
          { retries: 0 },
        )
        expectSame(answer, 'done', 'the answer of transaction')
      } catch (error) {
        expectNotMade(error, { parts, commits }, system)
        return
      }
      applyAll(draft, model, system, begunMs)
    }),
    step(
      3,
      'conflict',
      fc.record({
        how: fc.constantFrom('get', 'range', 'count'),
        key: keys.short,
        options: fc.oneof(keys.ranges, fc.constant<RangeOptions>({})),
        remove: fc.boolean(),
        value: fc.constant(values.ofBytes(20)),
        own: keys.short,
        disturbed: fc.constantFrom(0, 1, 1, 2, Infinity),
        retries: fc.constantFrom(0, 1, 3),
      }),
      async ({ how, key, options, remove, value, own, disturbed, retries }, model, system) => {
        const { store } = system
        const { limit, offset, ...bounds } = options
        // How much of a range with these is relied on is not said here.
        const bounded = limit !== undefined || offset !== undefined
        const relied =
          how === 'get' ||
          new Model(undefined, [{ key, value, version: 0, expires: undefined }]).range(bounds).length > 0
        const outside = AsyncResource.bind(() =>
          writeSync(remove && model.has(key) ? { type: 'del', key } : { type: 'put', key, value }, model, system),
        )
        const run = { attempts: 0, changed: false }
        const begunMs = Date.now()
        const promise = store.transaction(
          async (tx) => {
            expectTrue(run.attempts === 0 || run.changed, 'a transaction was run again without a conflict')
            const entries = model.range(options)
            if (how === 'get') expectSame(tx.get(key), model.get(key)?.value.expected(), 'get before a conflict')
            else if (how === 'count') expectSame(tx.count(options), entries.length, 'count before a conflict')
            else expectSame([...tx.range(options)], expectedOf('range', entries), 'a range before a conflict')
            run.changed = run.attempts++ < disturbed && outside()
            await Promise.resolve()
            tx.put(own, value.make())
          },
          { retries },
        )
        try {
          await promise
        } catch (error) {
          if (isExpected(error, 'ERR_SEALOG_CONFLICT')) {
            expectTrue(run.changed && (relied || bounded), 'a conflict without a change')
            expectSame(run.attempts, retries + 1, 'the attempts')
          } else if (isExpected(error, 'ERR_SEALOG_FULL')) {
            system.expectFull([{ type: 'put', key: own, value }])
          } else throw error
          return
        }
        expectTrue(!(run.changed && relied && !bounded), 'a conflict was not noticed')
        apply([{ type: 'put', key: own, value }], model, system, store, begunMs)
      },
    ),
  ]
}

/** All that the transaction may have wanted to write. */
function mostChanges(parts: readonly Part[]): Change[] {
  const actions = parts.flatMap((part) => (part.type === 'nested' ? part.actions : [part]))
  return actions.map((each): Change =>
    each.type === 'put' ? each : { type: 'put', key: null, value: plainValue(0), life: undefined },
  )
}

/** Counters: what an increment must give, and the steps that make them. */
import fc from 'fast-check'
import type { NamedEncoding } from '../../src/index.ts'
import { apply, lifeOptions } from './calls.ts'
import { expectError, expectSame, isExpected } from './compare.ts'
import type { KeySpace } from './keys.ts'
import type { Change } from './model.ts'
import { step, type WeightedSteps } from './step.ts'
import { plainValue } from './values.ts'
import { lives } from './writes.ts'

type Encoding = NamedEncoding | 'custom'

export const amounts: fc.Arbitrary<number | bigint> = fc.constantFrom<(number | bigint)[]>(
  1,
  1,
  -7,
  2 ** 53 - 1,
  1.5,
  1n,
  2n ** 63n,
)

/** The sum, or the error that there is instead. */
export function sumOf(
  value: unknown,
  by: number | bigint,
  encoding: Encoding,
): number | bigint | 'TypeError' | 'RangeError' {
  if (typeof by === 'number') {
    if (!Number.isSafeInteger(by) || !(value === undefined || Number.isSafeInteger(value))) return 'TypeError'
    const sum = ((value ?? 0) as number) + by
    if (!Number.isSafeInteger(sum)) return 'RangeError'
    return encoding === 'msgpack' || encoding === 'json' ? sum : 'TypeError'
  }
  if (!(value === undefined || typeof value === 'bigint' || Number.isSafeInteger(value))) return 'TypeError'
  return encoding === 'msgpack' ? BigInt((value ?? 0) as number | bigint) + by : 'TypeError'
}

export function counterSteps(keys: KeySpace, encoding: Encoding): WeightedSteps[] {
  // Few, so that they are incremented again.
  const key = fc.oneof(
    { weight: 3, arbitrary: fc.nat(1).map((n) => keys.bulk(200 + n, false)) },
    { weight: 1, arbitrary: keys.short },
  )
  const given = fc.record({ key, by: amounts, life: fc.option(lives, { nil: undefined }), promise: fc.boolean() })
  return [
    step(4, 'increment', given, async ({ key, by, life, promise }, model, system) => {
      const { store } = system
      const entry = model.get(key)
      const expected = sumOf(entry?.value.expected(), by, encoding)
      // The time of the first increment stays.
      const change: Change = {
        type: 'put',
        key,
        value: plainValue(expected),
        life: entry === undefined ? life : 'kept',
      }
      const begunMs = Date.now()
      const options = lifeOptions(life)
      let answer: unknown
      try {
        // The same call for both kinds of numbers.
        const amount = by as number
        answer = promise ? await store.increment(key, amount, options) : store.incrementSync(key, amount, options)
      } catch (error) {
        if (typeof expected !== 'string' && isExpected(error, 'ERR_SEALOG_FULL')) system.expectFull([change])
        else expectError(error, typeof expected === 'string' ? expected : 'ERR_SEALOG_FULL', 'an increment')
        return
      }
      expectSame(answer, expected, 'the answer of an increment')
      apply([change], model, system, store, begunMs)
    }),
  ]
}

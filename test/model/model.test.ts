// Sequences of everything that the API has, against a sorted map. The full size: npm run test:model.
import { expect, it } from 'vitest'
import { assertBuilt } from '../support/built.ts'
import { check } from './check.ts'

const runs = 300

it(`a store is a sorted map, in ${runs} sequences of commands`, async () => {
  assertBuilt()
  const seed = Math.floor(Math.random() * 2 ** 31)
  console.log(`model: seed ${seed}`)
  const { failure } = await check({ runs, seed })
  if (failure === undefined) return
  expect.fail(
    `${failure.error}\n\non ${failure.shape}: ${failure.commands}\n\n` +
      `npm run test:model -- --seed ${seed} --path '${failure.path}'`,
  )
}, 120_000)

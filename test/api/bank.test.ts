// Money is neither made nor lost by concurrent transfers, as every snapshot shows. bench/bank.mjs is the long form.
import { expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { accounts, runBank, totalOf } from '../support/bank.mjs'
import { openScratch } from '../support/scratch.ts'

it('transfers of twenty tellers at once keep the sum in every snapshot, and after a reopening', async () => {
  const db = openScratch<number>({ capacity: '256MiB', segmentBytes: '2MiB' })
  const figures = await runBank(db, { seconds: 1.5, tellers: 20 })
  expect(figures.held).toBe(0)
  for (const name of ['transfers', 'refused', 'retries', 'snapshots', 'audits'] as const)
    expect(figures[name], name).toBeGreaterThan(0)
  db.close()
  const again = open<number>(db.path)
  expect(totalOf(again)).toEqual({ accounts, total: accounts * 1_000 })
  again.close()
})

// Concurrent transfers between 100 accounts, the sum checked in every snapshot meanwhile.
// Usage: node bench/bank.mjs [--seconds N] [--tellers N] [--dir DIR]
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { open } from '../dist/index.js'
import { accounts, runBank, totalOf } from '../test/support/bank.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    tellers: { type: 'string', default: '20' },
    dir: { type: 'string' },
  },
})
const directory = mkdtempSync(join(values.dir ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'sealog-bank-'))
try {
  const path = join(directory, 'bank')
  const db = open(path, { capacity: '512MiB' })
  const { persistence } = db
  const figures = await runBank(db, { seconds: Number(values.seconds), tellers: Number(values.tellers) })
  db.close()
  const again = open(path)
  const { total } = totalOf(again)
  again.close()
  console.log(`${values.tellers} tellers, ${accounts} accounts, ${values.seconds} s, domain ${persistence}`)
  console.log(
    `${figures.transfers} transfers (${figures.perSecond}/s), ${figures.refused} rolled back for want of funds`,
  )
  console.log(`${figures.retries} runs again after a conflict; ${figures.audits} audits of all accounts`)
  console.log(`${figures.snapshots} snapshots checked, and again later; the sum was right in all, and is ${total} now`)
  console.log(`figures: ${JSON.stringify({ lane: 'bank', ...figures, total })}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

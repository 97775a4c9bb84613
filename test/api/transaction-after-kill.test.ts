// A process that makes transactions of 15,000 changes is killed at any moment: each is whole or absent. bench/whole.mjs is the long form.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { journalOf, momentOfKill, stateOf } from '../support/whole.mjs'

it.each(['memory', 'disk'] as const)(
  'a transaction is whole or absent, in/on the %s',
  { timeout: 60_000 },
  async (on) => {
    const directory = scratchDirectory(on)
    const [path, journal] = [join(directory, 'store'), join(directory, 'journal')]
    let state = 0
    for (let cycle = 0; cycle < 6; cycle++) {
      writeFileSync(journal, '')
      const options = { capacity: '64MiB' }
      const child = startChild('whole-child.mjs', { path, journal, from: state + 1, options })
      await momentOfKill(journal, cycle)
      child.process.kill('SIGKILL')
      expect(await child.ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
      const { begun, acknowledged } = journalOf(readFileSync(journal, 'utf8'))
      const last = Math.max(acknowledged, state)
      // Read-only leaves the file as it was killed: then the next child recovers it.
      const db = open<number>(path, { readOnly: cycle % 2 === 0 })
      const found = stateOf(db)
      db.close()
      expect(begun === last + 1 ? [last, begun] : [last]).toContain(found)
      state = found
    }
    expect(state).toBeGreaterThan(0)
  },
)

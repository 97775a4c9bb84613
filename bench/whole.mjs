// A transaction of 10,000 puts (and 5,000 removes) is one fence, and whole or absent after SIGKILL: a child makes one after the other on
// the same store and is killed at a random moment, again and again. Usage: node bench/whole.mjs [--kills N] [--dir DIR]
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { open } from '../dist/index.js'
import { journalOf, momentOfKill, puts, stateOf, writeState } from '../test/support/whole.mjs'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' }, dir: { type: 'string' } } })
const kills = Number(values.kills)
const program = fileURLToPath(new URL('../test/support/whole-child.mjs', import.meta.url))
const options = { capacity: '64MiB' }

function fencesOfOne(path) {
  const db = open(path, options)
  const own = ({ persist }) => persist.fences - persist.checkpointFences
  const fences = []
  for (let n = 1; n <= 10; n++) {
    const before = own(db.stats())
    db.transactionSync((tx) => writeState(tx, n))
    fences.push(own(db.stats()) - before)
  }
  db.close()
  return fences
}

const directory = mkdtempSync(join(values.dir ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'sealog-whole-'))
try {
  const fences = fencesOfOne(join(directory, 'fences'))
  console.log(`own fences of ten transactions of ${puts} puts and 5,000 removes: ${fences.join(' ')}`)
  const path = join(directory, 'store')
  const journal = join(directory, 'journal')
  const figures = { cycles: 0, acknowledged: 0, killedInside: 0, whole: 0, absent: 0, recovered: 0 }
  let state = 0
  const begin = performance.now()
  while (figures.cycles < kills) {
    writeFileSync(journal, '')
    const child = spawn(process.execPath, [program, JSON.stringify({ path, journal, from: state + 1, options })], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)))
    await momentOfKill(journal, figures.cycles)
    child.kill('SIGKILL')
    const how = await ended
    if (how !== 'SIGKILL') throw new Error(`the child ended with ${how}`)
    const { begun, acknowledged } = journalOf(readFileSync(journal, 'utf8'))
    const last = Math.max(acknowledged, state)
    const db = open(path)
    const found = stateOf(db)
    if (found !== last && !(found === begun && begun === last + 1))
      throw new Error(`state ${found}, but ${acknowledged} was acknowledged and ${begun} begun`)
    figures.cycles++
    figures.acknowledged += Math.max(0, acknowledged - state)
    figures.recovered += db.recovery.outcome === 'recovered'
    if (begun > last) {
      figures.killedInside++
      figures[found === begun ? 'whole' : 'absent']++
    }
    state = found
    db.close()
  }
  const seconds = Math.round((performance.now() - begin) / 1000)
  console.log(`${figures.cycles} kills in ${seconds} s, ${figures.acknowledged} transactions acknowledged, none lost`)
  console.log(
    `${figures.killedInside} killed inside a transaction: ${figures.whole} found whole, ${figures.absent} absent, 0 in halves`,
  )
  console.log(`figures: ${JSON.stringify({ lane: 'whole', fences: Math.max(...fences), ...figures, halves: 0 })}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

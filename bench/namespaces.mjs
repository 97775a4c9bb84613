// What namespaces cost: opening a store of many beside one of the same size without any, count(), and clearing a large one.
// Usage: node bench/namespaces.mjs [--namespaces N] [--keys N] [--large N] [--rounds N] [--dir DIR]
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { open } from '../dist/index.js'
import { median } from './lib/figures.mjs'
import { fill } from './lib/fill.mjs'

const { values } = parseArgs({
  options: {
    namespaces: { type: 'string', default: '1000' },
    keys: { type: 'string', default: '1000' },
    large: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '11' },
    dir: { type: 'string' },
  },
})
const [namespaces, keys, large, rounds] = [values.namespaces, values.keys, values.large, values.rounds].map(Number)
const value = Buffer.alloc(20, 'v')
const nameOf = (i) => `namespace ${i}`
const ms = (number) => Number(number.toFixed(3))
const options = { capacity: '768MiB', encoding: 'binary' }
const used = (db) => {
  const { segments, free } = db.stats().space
  return Math.round(((segments - free) * db.info.fileBytes) / segments / 2 ** 20)
}

function timed(call) {
  const begin = performance.now()
  const result = call()
  return [performance.now() - begin, result]
}

function openRound(path, take) {
  const [openMs, db] = timed(() => open(path))
  const [firstMs, bytes] = timed(() => take(db))
  if (bytes === undefined) throw new Error(`nothing is found in ${path}`)
  db.close()
  return { openMs, firstMs }
}

function compareOpening(directory) {
  const [many, one] = [join(directory, 'many'), join(directory, 'one')]
  const a = open(many, options)
  const [makeMs] = timed(() => {
    for (let n = 0; n < namespaces; n++) a.namespace(nameOf(n), { encoding: 'binary' })
  })
  for (let n = 0; n < namespaces; n++) fill(a.namespace(nameOf(n)), keys, (i) => i, value)
  a.close()
  const b = open(one, options)
  for (let n = 0; n < namespaces; n++) fill(b, keys, (i) => [n, i], value)
  b.close()
  const middle = namespaces >> 1
  const withMany = []
  const withOne = []
  const openMany = () => withMany.push(openRound(many, (db) => db.namespace(nameOf(middle)).get(7)))
  const openOne = () => withOne.push(openRound(one, (db) => db.get([middle, 7])))
  for (let round = 0; round < rounds; round++) {
    // Each is the first of a round as often as the other.
    for (const openIt of round % 2 === 0 ? [openMany, openOne] : [openOne, openMany]) openIt()
  }
  const figures = (list) => ({
    openMs: ms(median(list.map(({ openMs }) => openMs))),
    firstGetMs: ms(median(list.map(({ firstMs }) => firstMs))),
  })
  const db = open(many)
  const handles = Array.from({ length: namespaces }, (_, n) => db.namespace(nameOf(n)))
  const countAll = () => handles.reduce((sum, ns) => sum + ns.count(), 0)
  const [coldMs, total] = timed(countAll)
  const [countMs] = timed(countAll)
  if (total !== namespaces * keys) throw new Error(`${total} keys are counted`)
  const [namesMs, names] = timed(() => db.namespaces().length)
  if (names !== namespaces) throw new Error(`${names} namespaces are listed`)
  db.close()
  return {
    namespaces: figures(withMany),
    without: figures(withOne),
    createUs: ms((makeMs * 1000) / namespaces),
    coldCountUs: ms((coldMs * 1000) / namespaces),
    countUs: ms((countMs * 1000) / namespaces),
    namesMs: ms(namesMs),
  }
}

async function clearLarge(directory) {
  const db = open(join(directory, 'large'), options)
  const ns = db.namespace('large', { encoding: 'binary' })
  const beside = db.namespace('beside', { encoding: 'binary' })
  beside.putSync(1, value)
  const leavesBefore = db.stats().index.leaves
  const emptyMiB = used(db)
  fill(ns, large, (i) => i, value)
  const fullMiB = used(db)
  const [countMs, count] = timed(() => ns.count())
  const [clearMs, cleared] = timed(() => ns.clearSync())
  if (count !== large || cleared !== large || ns.count() !== 0) throw new Error(`${cleared} of ${count} were cleared`)
  const begin = performance.now()
  let worstGetMs = 0
  while (db.stats().index.leaves > leavesBefore + 10) {
    const [getMs] = timed(() => beside.get(1))
    worstGetMs = Math.max(worstGetMs, getMs)
    await sleep(5)
    if (performance.now() - begin > 120_000) throw new Error('it is not reclaimed in two minutes')
  }
  const reclaimedMs = Math.round(performance.now() - begin)
  const removedMiB = used(db)
  // A checkpoint or two gives back what the last slices have left.
  for (let i = 0; i < 100_000 && used(db) > emptyMiB + 8; i++) beside.putSync(1, value)
  const afterMiB = used(db)
  db.close()
  return { keys: large, countUs: ms(countMs * 1000), clearMs: ms(clearMs), reclaimedMs, worstGetMs: ms(worstGetMs), emptyMiB, fullMiB, removedMiB, afterMiB } // prettier-ignore
}

const directory = mkdtempSync(
  join(values.dir ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir()), 'sealog-namespaces-'),
)
try {
  const opening = compareOpening(directory)
  const size = `${namespaces} namespaces of ${keys} keys`
  console.log(`open, medians of ${rounds} rounds side by side:`)
  console.log(
    `  ${size}: ${opening.namespaces.openMs} ms; namespace() and the first get ${opening.namespaces.firstGetMs} ms`,
  )
  console.log(
    `  ${namespaces * keys} keys without: ${opening.without.openMs} ms; the first get ${opening.without.firstGetMs} ms`,
  )
  console.log(
    `a namespace is made in ${opening.createUs} us, counted in ${opening.countUs} us (${opening.coldCountUs} the first time), all listed in ${opening.namesMs} ms`,
  )
  const clearing = await clearLarge(directory)
  console.log(`clear() of ${large} keys: ${clearing.clearMs} ms; count() before it ${clearing.countUs} us`)
  console.log(`  removed in the background after ${clearing.reclaimedMs} ms, in slices`)
  console.log(
    `  segments in use: ${clearing.emptyMiB} MiB, full ${clearing.fullMiB} MiB, removed ${clearing.removedMiB} MiB, later ${clearing.afterMiB} MiB`,
  )
  console.log(`figures: ${JSON.stringify({ lane: 'namespaces', opening, clearing })}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

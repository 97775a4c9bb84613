// Salvage from stores with 100 random damaged places, against an oracle (map.mjs) that knows which bytes of the file each entry needs.
//   npm run test:salvage -- [--seed S] [--cases N] [--case I] [--places P] [--keep]
// Checked, of each case: every entry whose bytes are whole is out with its value; no value is out that the key did not have; a value
// that is not the newest, or a key that had been removed, is out only where the report says that this may be; every entry that is
// damaged is listed, or lies in what is.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exit } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { isSealogError, open, salvage } from '../../dist/index.js'
import { StoreMap } from './map.mjs'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '50' },
    case: { type: 'string' },
    places: { type: 'string', default: '100' },
    keep: { type: 'boolean', default: false },
  },
})
const places = Number(values.places)

function generator(seed) {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) % below
  }
}

/** Makes a store, and what it should hold: by namespace and key, all values that ever were, the newest last (undefined: removed). */
async function build(folder, random) {
  const history = new Map()
  const db = open(join(folder, 'whole'), {
    capacity: '16MiB',
    segmentBytes: '64KiB',
    checkpointBytes: `${64 << random(3)}KiB`,
    keys: 'utf8',
    encoding: 'string',
  })
  const spaces = [
    ['', db],
    ['people', db.namespace('people', { keys: 'utf8', encoding: 'string' })],
    ['with a long name', db.namespace('with a long name', { keys: 'utf8', encoding: 'string' })],
  ]
  const note = (name, key, value) => {
    const id = `${name}\0${key}`
    if (!history.has(id)) history.set(id, [])
    history.get(id).push(value)
  }
  const text = () => {
    const kind = random(100)
    const bytes = kind === 0 ? 20_000 + random(60_000) : kind < 10 ? random(2000) : random(120)
    return `${random(1e9)} `.repeat(Math.ceil(bytes / 10)).slice(0, bytes)
  }
  const count = 2500 + random(2500)
  const cleaned = random(2) === 0
  for (let i = 0; i < count; i++) {
    // What is alive is moved into segments of its own.
    if (cleaned && i % 700 === 699) await db.compact()
    const [name, table] = spaces[Math.min(random(4), 2)]
    const key = `key ${random(3000)}`
    const what = random(20)
    if (what < 3) {
      if (table.removeSync(key)) note(name, key, undefined)
    } else if (what === 3) {
      const value = text()
      table.putSync(key, value, { ttl: 1e8 })
      note(name, key, value)
    } else if (what === 4) {
      const puts = Array.from({ length: 1 + random(30) }, () => ({
        type: 'put',
        key: `key ${random(3000)}`,
        value: text(),
      }))
      table.batchSync(puts)
      for (const put of puts) note(name, put.key, put.value)
    } else if (what === 5) {
      const puts = Array.from({ length: 5 }, () => [`key ${random(3000)}`, text()])
      await Promise.all(puts.map(([k, v]) => table.put(k, v)))
      for (const [k, v] of puts) note(name, k, v)
    } else {
      const value = text()
      table.putSync(key, value)
      note(name, key, value)
    }
  }
  const killed = random(2) === 0
  const path = join(folder, 'damaged.sealog')
  if (killed)
    await sleep(100) // a checkpoint that is being written would be copied in part
  else db.close()
  copyFileSync(join(folder, 'whole.sealog'), path)
  if (killed) db.close()
  return { path, history, killed }
}

/** Damages the file in place. @returns what was done, for people */
function damage(bytes, map, random) {
  const done = []
  const segmentTable = [32768, 32768 + map.segmentCount * 64]
  const metaPieces = [
    [0, 4096],
    [4096, 8192],
    [8192, 8448],
    [12288, 12544],
    ...Array.from({ length: 20 }, () => segmentTable),
  ]
  const heads = Array.from({ length: map.segmentCount }, (_, i) => [
    i * map.segmentBytes,
    i * map.segmentBytes + 128,
  ]).slice(1)
  for (let i = 0; i < places; i++) {
    const where = random(20)
    const pieces = where < 11 ? map.log : where < 17 ? map.nodes : where < 19 ? metaPieces : heads
    const [begin, end] = pieces[random(pieces.length)]
    const at = begin + random(end - begin)
    const kind = random(20)
    const line = at - (at % 64)
    const page = at - (at % 4096)
    if (kind < 10) bytes[at] ^= 1 << random(8)
    else if (kind < 16) bytes.fill(0, line, line + 64)
    else if (kind < 18) bytes.fill(0, page, page + 4096)
    else for (let j = page; j < page + 4096; j++) bytes[j] = random(256)
    done.push([at, kind])
  }
  return done
}

class Wrong extends Error {}

/** What is in the salvaged store, by namespace and key. */
function dump(path, namespaces) {
  const found = new Map()
  const db = open(path, { readOnly: true })
  const take = (name, table) => {
    for (const { key, value } of table.range({})) found.set(`${name}\0${String(key)}`, String(value))
  }
  take('', db)
  for (const name of db.namespaces()) {
    const orphan = /^salvaged\/(\d+)$/.exec(name)
    take(orphan ? namespaces.get(Number(orphan[1])) : name, db.namespace(name))
  }
  db.close()
  return found
}

function judge({ map, bytes, before, report, found, history, killed }) {
  const figures = { entries: 0, whole: 0, damaged: 0, out: found.size, older: 0, removed: 0, undetectable: 0 }
  const namespaces = map.namespaces()
  const differs = ([begin, end]) => before.compare(bytes, begin, end, begin, end) !== 0
  const { list } = report.lost
  const meta = (what) => list.filter((loss) => loss.what === what)
  const slotGone = meta('slot').some(({ where }) => where === map.slot.at)
  // The last LSN that a whole frame, or a checkpoint that holds, knew to be durable.
  const slots = map.slots.filter((slot) => !meta('slot').some(({ where }) => where === slot.at))
  const durable = Math.max(
    0,
    ...slots.map(({ lsn }) => lsn),
    ...map.frames.filter(({ begin, end }) => !differs([begin, end])).map(({ lsn, window }) => lsn - window),
  )
  const firstBad = Math.min(
    Infinity,
    ...map.frames.filter(({ lsn, begin, end }) => lsn > durable && differs([begin, end])).map(({ lsn }) => lsn),
  )
  const inRange = (loss, whole) =>
    loss.fromHex !== undefined && whole >= loss.fromHex && (loss.belowHex === undefined || whole < loss.belowHex)
  const listed = (entry) =>
    report.lost.count > list.length ||
    report.checkpoint === null ||
    list.some(
      (loss) =>
        entry.ranges.some(([begin]) => begin === loss.where) ||
        inRange(loss, entry.key.toString('hex')) ||
        (loss.lsns !== undefined && entry.lsn >= loss.lsns[0] && entry.lsn <= loss.lsns[1]),
    )
  const uncertain = report.entries.fromScan > 0 || meta('frame').length > 0
  const seen = new Set()
  for (const entry of map.entries.values()) {
    if (entry.tree === 1) continue
    const [name, key] = map.nameOf(entry, namespaces)
    const id = `${name}\0${key}`
    seen.add(id)
    figures.entries++
    const newest = history.get(id)?.at(-1)
    if (newest !== entry.value.toString()) throw new Error(`the oracle is wrong about ${id}`)
    const isWhole = !entry.ranges.some(differs)
    const value = found.get(id)
    figures[isWhole ? 'whole' : 'damaged']++
    if (value === newest) continue
    // The log's end went with a frame that nothing whole knew to be durable: as if it had not been written.
    const undetectable = entry.lsn >= firstBad
    if (undetectable) figures.undetectable++
    else if (isWhole)
      throw new Wrong(`${id} is whole, at ${entry.at}, LSN ${entry.lsn}, and not out: ${String(value).slice(0, 40)}`)
    else if (!listed(entry)) throw new Wrong(`${id}, at ${entry.at}, LSN ${entry.lsn}, is damaged and not listed`)
    if (value === undefined) continue
    if (!history.get(id).includes(value))
      throw new Wrong(
        `${id} has a value that it never had: '${value.slice(0, 60)}' (${value.length}), newest '${newest.slice(0, 60)}' (${newest.length}), at ${entry.at}`,
      )
    if (!uncertain && !undetectable && !slotGone) throw new Wrong(`${id} has an older value, and the report knows all`)
    figures.older++
  }
  for (const [id, value] of found) {
    if (seen.has(id)) continue
    if (!history.get(id)?.includes(value)) throw new Wrong(`${id} was never there`)
    if (!uncertain && firstBad === Infinity) throw new Wrong(`${id} had been removed, and the report knows all`)
    figures.removed++
  }
  if (figures.damaged > figures.undetectable && report.complete)
    throw new Wrong(`${figures.damaged} entries are damaged, and the report says that nothing is lost`)
  if (figures.older + figures.removed > report.entries.fromScan && meta('frame').length === 0 && firstBad === Infinity)
    throw new Wrong('more that is not newest than what is from the log without an index')
  return { ...figures, killed: killed ? 1 : 0 }
}

async function runCase(seed, number, folder) {
  const random = generator(seed * 1_000_003 + number)
  const { path, history, killed } = await build(folder, random)
  const before = readFileSync(path)
  const map = new StoreMap(before)
  const bytes = Buffer.from(before)
  damage(bytes, map, random)
  writeFileSync(path, bytes)
  const out = join(folder, 'out.sealog')
  let report
  try {
    report = await salvage(path, out)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Both superblocks are gone, and the encodings with them.
    report = await salvage(path, out, { keys: 'utf8', encoding: 'string' })
  }
  if (readFileSync(path).compare(bytes) !== 0) throw new Wrong('the damaged file was written to')
  const found = dump(out, map.namespaces())
  const figures = judge({ map, bytes, before, report, found, history, killed })
  const { entries, lost } = report
  return {
    ...figures,
    ...entries,
    listed: lost.count,
    noSuperblock: lost.list.filter(({ what }) => what === 'superblock').length === 2 ? 1 : 0,
    noCheckpoint: report.checkpoint === null ? 1 : 0,
  }
}

const sums = { cases: 0, failed: 0 }
const numbers =
  values.case === undefined ? Array.from({ length: Number(values.cases) }, (_, i) => i) : [Number(values.case)]
const base = mkdtempSync(join(tmpdir(), 'sealog-salvage-'))
const began = performance.now()
for (const number of numbers) {
  const folder = mkdtempSync(join(values.keep ? base : '/dev/shm', 'sealog-salvage-'))
  sums.cases++
  try {
    const figures = await runCase(Number(values.seed), number, folder)
    for (const [name, value] of Object.entries(figures)) sums[name] = (sums[name] ?? 0) + value
  } catch (error) {
    sums.failed++
    console.log(
      `FAILED case ${number}: ${error instanceof Wrong || isSealogError(error) ? error.message : error.stack}`,
    )
    console.log(
      `  replay: npm run test:salvage -- --seed ${values.seed} --case ${number} --places ${values.places} --keep`,
    )
  } finally {
    if (values.keep) console.log(`files are in ${folder}`)
    else rmSync(folder, { recursive: true, force: true })
  }
}
if (!values.keep) rmSync(base, { recursive: true, force: true })
console.log(`figures: ${JSON.stringify({ ...sums, places, seconds: Math.round((performance.now() - began) / 1000) })}`)
exit(sums.failed === 0 ? 0 : 1)

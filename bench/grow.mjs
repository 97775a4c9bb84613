// A store that grows in steps from 64 MiB to 4 GiB while it is written and read: on tmpfs, and on ext4 and xfs in loop devices
// (needs root; skipped without). Prints each step: how long it took, and the longest put and the longest delay of the event loop
// meanwhile; before, the same load for two seconds without growth. An iterator is open over each step. At the end, and when it is opened again, all of the content is compared.
//   npm run bench:grow [-- --to=512 --on=memory,ext4,xfs]      --to: MiB
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { open } from '../dist/index.js'
import { loopMount } from '../scripts/loop-mount.mjs'

const mib = 2 ** 20
const { values } = parseArgs({
  options: { to: { type: 'string', default: '4096' }, on: { type: 'string', default: 'memory,ext4,xfs' } },
})
const toMib = Number(values.to)
const valueBytes = 1000
const hotKeys = 8000
const putsInTurn = 4

/** The value of a key, the nth time that it is written. */
function valueOf(key, version) {
  const value = Buffer.alloc(valueBytes, key % 251)
  value.writeDoubleLE(key, 0)
  value.writeDoubleLE(version, 8)
  return value
}

/** @returns a directory on that file system, and what takes it away again; undefined if it cannot be had. */
function place(type) {
  if (type === 'memory') {
    const directory = mkdtempSync('/dev/shm/sealog-grow-')
    return { directory, remove: () => rmSync(directory, { recursive: true }) }
  }
  const options = type === 'xfs' ? [] : ['-E', 'lazy_itable_init=0,lazy_journal_init=0']
  try {
    return loopMount(mkdtempSync(join(tmpdir(), 'sealog-grow-')), type, (toMib * 1.25 + 512) * mib, ...options)
  } catch (error) {
    console.log(`${type}: skipped: ${error.message}`)
    return undefined
  }
}

function compare(entries, expected, what) {
  let seen = 0
  for (const { key, value } of entries) {
    const version = expected.get(key)
    if (version === undefined || valueOf(key, version).compare(value) !== 0) throw new Error(`${what}: ${key} differs`)
    seen++
  }
  if (seen !== expected.size) throw new Error(`${what}: ${seen} entries of ${expected.size}`)
}

async function growOn(type, directory) {
  const path = join(directory, 'store')
  const db = open(path, { capacity: '64MiB', encoding: 'binary' })
  const expected = new Map()
  let next = 0
  const put = (key) => {
    const version = (expected.get(key) ?? 0) + 1
    db.putSync(key, valueOf(key, version))
    expected.set(key, version)
  }
  for (let key = 0; key < hotKeys; key++) {
    const version = 1
    void db.put(key, valueOf(key, version))
    expected.set(key, version)
  }
  await db.flush()
  let newKey = hotKeys
  console.log(`\n${type}: domain ${db.persistence}, ${db.info.fsName}, seal ${db.seal.level}`)
  console.log('  MiB             time  longest put  median put    puts  longest turn')
  // Puts and an open iterator, a turn of the event loop each, until `until` is settled; then the iterator is compared.
  const load = async (what, until) => {
    const iterator = db.range()[Symbol.iterator]()
    const before = new Map(expected)
    const held = [iterator.next().value]
    const delay = monitorEventLoopDelay({ resolution: 1 })
    const latencies = []
    let over = false
    delay.enable()
    const started = performance.now()
    const ending = until().finally(() => (over = true))
    ending.catch(() => undefined)
    while (!over) {
      for (let i = 0; i < putsInTurn && !over; i++) {
        const at = performance.now()
        put(next++ % hotKeys)
        latencies.push(performance.now() - at)
      }
      for (let i = 0; i < 2; i++) {
        const { value, done } = iterator.next()
        if (!done) held.push(value)
      }
      await wait(1)
    }
    const answer = await ending
    const ms = performance.now() - started
    delay.disable()
    latencies.sort((a, b) => a - b)
    for (let step = iterator.next(); !step.done; step = iterator.next()) held.push(step.value)
    compare(held, before, 'the iterator')
    console.log(
      `  ${what.padEnd(14)}${ms.toFixed(0).padStart(6)} ms` +
        `${latencies.at(-1).toFixed(2).padStart(10)} ms${latencies[latencies.length >> 1].toFixed(3).padStart(9)} ms` +
        `${String(latencies.length).padStart(8)}${(delay.max / 1e6).toFixed(1).padStart(11)} ms`,
    )
    return answer
  }
  await load('no growth', () => wait(2000))
  for (let size = 128; size <= toMib; size *= 2) {
    const bytes = await load(`${size / 2} to ${size}`, () => db.grow(`${size}MiB`))
    if (bytes !== size * mib || db.info.fileBytes !== bytes) throw new Error('it has another size')
    // A part of what there is now, so that what is new is used.
    const until = newKey + Math.floor((size * mib * 0.06) / valueBytes)
    while (newKey < until) {
      for (let i = 0; i < 1000 && newKey < until; i++, newKey++) {
        void db.put(newKey, valueOf(newKey, 1))
        expected.set(newKey, 1)
      }
      await db.flush()
    }
  }
  compare(db.range(), expected, 'the store')
  const { space } = db.stats()
  db.close()
  const again = open(path, { readOnly: true })
  compare(again.range(), expected, 'the store, opened again')
  console.log(
    `  ${expected.size} entries the same at the end and when opened again (${again.recovery.outcome}); ` +
      `${space.segments - space.free} of ${space.segments} segments in use, seal ${again.seal.level} ${again.seal.verified}`,
  )
  again.close()
}

for (const type of values.on.split(',')) {
  const there = place(type)
  if (there === undefined) continue
  try {
    await growOn(type, there.directory)
  } finally {
    there.remove()
  }
}

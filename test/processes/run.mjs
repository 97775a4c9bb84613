// Reader processes beside a writer process, with processes of both kinds killed: npm run test:processes
//   --cycles 60   --path DIR (/dev/shm)   --seed 1   --readers 4
//
// Operation i puts one key, told by i alone, with i as its value. So a state shows how many operations it has, and what every key must be then: it is a prefix of
// the writer's operations or it is wrong. Each cycle kills the writer, or some readers, with SIGKILL at a random moment, and starts it
// again. At the end the readers are killed: nothing may be held for them then, and verify finds nothing.
import { fork } from 'node:child_process'
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isSealogError, open, openAsync } from 'sealog'

const keyCount = 6000
const hotCount = 600
const me = fileURLToPath(import.meta.url)
/** Half of them go to a few hot keys, so that segments are left with some records alive. */
const keyOf = (i) => {
  const hash = Math.imul(i ^ (i >>> 15), 0x2c1b3c6d) >>> 0
  return `k${String((hash >>> 8) % ((hash & 1) === 0 ? hotCount : keyCount)).padStart(6, '0')}`
}
const fillers = Array.from({ length: 16 }, (_, i) => 'x'.repeat(100 + 150 * i))

/** How many operations the state has that these [key, i] pairs show. @throws Error if it is no prefix */
function operationsOf(entries) {
  const found = new Map(entries)
  const count = [...found.values()].reduce((most, i) => Math.max(most, i + 1), 0)
  const checked = new Set()
  for (let i = count - 1; i >= 0 && checked.size < keyCount; i--) {
    const key = keyOf(i)
    if (checked.has(key)) continue
    checked.add(key)
    if (found.get(key) !== i) throw new Error(`${key} is of ${found.get(key)}, not of ${i}, after ${count} operations`)
  }
  if (found.size !== checked.size) throw new Error(`${found.size} keys, not ${checked.size}, after ${count} operations`)
  return count
}

async function writer(path, acknowledgedPath) {
  const db = await openAsync(path, { capacity: '32MiB', segmentBytes: '128KiB', waitMs: 20_000 })
  const file = openSync(acknowledgedPath, 'r+')
  const number = new BigInt64Array(1)
  readSync(file, number, 0, 8, 0)
  let i = operationsOf([...db.range()].map(({ key, value }) => [key, value.i]))
  if (i < Number(number[0])) throw new Error(`lost: ${i} operations of ${number[0]} acknowledged`)
  process.send({ started: i })
  let stop = false
  let cleaned = 0
  process.on('message', ({ finish }) => {
    stop = finish
  })
  while (!stop) {
    for (let n = 0; n < 20; n++, i++) {
      try {
        db.putSync(keyOf(i), { i, filler: fillers[(i * 7) % 16] })
      } catch (error) {
        // Four readers keep four states; they go on within a second.
        if (!isSealogError(error, 'ERR_SEALOG_FULL')) throw error
        process.send({ full: 1 })
        await sleep(50)
        i--
        continue
      }
      number[0] = BigInt(i + 1)
      writeSync(file, number, 0, 8, 0)
    }
    await sleep(1)
    const now = db.stats().cleaning.segments
    if (now !== cleaned) process.send({ cleaned: now - cleaned })
    cleaned = now
  }
  // Without readers: two checkpoints later nothing waits but what the last two need.
  for (let n = 0; n < 4; n++) {
    await sleep(1100)
    db.putSync(keyOf(i), { i, filler: '' })
    i++
  }
  await sleep(3000)
  const { pins, space } = db.stats()
  const { problemCount } = await db.verify()
  db.close()
  process.send({ finished: { pins, retired: space.retired, problemCount, operations: i } })
  process.disconnect()
}

async function reader(path) {
  let db
  for (;;) {
    try {
      db = open(path, { readOnly: true })
      break
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_ABSENT')) throw error
      await sleep(5)
    }
  }
  process.on('disconnect', () => process.exit())
  let seen = 0
  for (let round = 0; ; round++) {
    const fresh = db.refresh()
    const entries = []
    // An iterator from before a refresh, with turns of the event loop in between, shows its own state to the end.
    const middle = round % 2 === 0 ? keyCount / 2 : Infinity
    for (const { key, value } of db.range()) {
      entries.push([key, value.i])
      if (entries.length === middle) {
        await sleep(120)
        db.refresh()
      }
    }
    const operations = operationsOf(entries)
    if (operations < seen) throw new Error(`went back from ${seen} operations to ${operations}`)
    seen = operations
    process.send({ iterated: 1, fresh: Number(fresh), beside: Number(db.info.besideWriter) })
    await sleep(5)
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string', default: '60' },
      path: { type: 'string', default: '/dev/shm' },
      seed: { type: 'string', default: '1' },
      readers: { type: 'string', default: '4' },
    },
  })
  const cycles = Number(values.cycles)
  const readerCount = Number(values.readers)
  let state = Number(values.seed)
  const random = (n) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >>> 8) % n
  }
  const directory = mkdtempSync(join(values.path, 'sealog-processes-'))
  const path = join(directory, 'store')
  const acknowledged = join(directory, 'acknowledged')
  writeSync(openSync(acknowledged, 'w'), new BigInt64Array(1))
  const counts = { iterated: 0, fresh: 0, beside: 0, full: 0, cleaned: 0 }
  const kills = { writer: 0, readers: 0 }
  const failures = []
  const dying = new WeakSet()
  const start = (role) => {
    const child = fork(me, [role, path, acknowledged])
    child.on('exit', (code, signal) => {
      if (!dying.has(child)) failures.push(`a ${role} ended by itself: ${code ?? signal}`)
    })
    child.on('message', (message) => {
      for (const name of Object.keys(counts)) counts[name] += message[name] ?? 0
    })
    return child
  }
  const kill = async (child) => {
    dying.add(child)
    const gone = child.exitCode !== null || child.signalCode !== null
    const exit = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    if (!gone) await exit
  }
  const told = (child, name) =>
    new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (name in message) resolve(message[name])
      })
      child.once('exit', () => reject(new Error(`no ${name}: ${failures.join('; ')}`)))
    })

  const startedMs = performance.now()
  let theWriter = start('writer')
  await told(theWriter, 'started')
  const readers = Array.from({ length: readerCount }, () => start('reader'))
  for (let cycle = 0; cycle < cycles && failures.length === 0; cycle++) {
    await sleep(150 + random(600))
    if (cycle % 2 === 0) {
      await kill(theWriter)
      kills.writer++
      await sleep(random(3) * 40)
      theWriter = start('writer')
      await told(theWriter, 'started').catch((error) => failures.push(error.message))
    } else {
      for (let i = 0; i < readers.length; i++) {
        if (random(2) === 0) continue
        await kill(readers[i])
        kills.readers++
        readers[i] = start('reader')
      }
    }
    if (cycle % 20 === 19) console.log(`${cycle + 1} cycles, ${JSON.stringify({ ...kills, ...counts })}`)
  }
  let finished
  if (failures.length === 0) {
    for (const child of readers) await kill(child)
    dying.add(theWriter)
    const finishing = told(theWriter, 'finished')
    theWriter.send({ finish: true })
    finished = await finishing
    const { pins, retired, problemCount } = finished
    // The last two durable checkpoints, as without readers.
    if (pins.oldest < pins.epoch - 3 || retired > 2)
      failures.push(`held after all readers are gone: ${JSON.stringify({ pins, retired })}`)
    if (problemCount !== 0) failures.push(`verify: ${problemCount} problems`)
  } else {
    for (const child of [theWriter, ...readers]) await kill(child)
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
  console.log(`processes: ${JSON.stringify({ cycles, seconds, ...kills, ...counts, ...finished })}`)
  for (const failure of failures) console.log(`FAILED: ${failure}`)
  if (failures.length === 0) rmSync(directory, { recursive: true })
  else console.log(`kept: ${directory}`)
  process.exit(failures.length === 0 ? 0 : 1)
}

const [, , role, path, acknowledged] = process.argv
if (role === 'writer') await writer(path, acknowledged)
else if (role === 'reader') await reader(path)
else await main()

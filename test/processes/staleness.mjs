// How old what a reader process sees is: node test/processes/staleness.mjs [--path DIR] [--seconds 20]
// A writer puts the time, and some other keys, all the time or seldom; a reader refreshes and compares. Milliseconds.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { open } from 'sealog'

const me = fileURLToPath(import.meta.url)
const nowMs = () => performance.timeOrigin + performance.now()

async function reader(path, seconds) {
  const db = open(path, { readOnly: true })
  await sleep(2000) // the writer looks for readers once in a second
  const ages = []
  const refreshes = []
  const until = nowMs() + seconds * 1000
  while (nowMs() < until) {
    const startedMs = performance.now()
    const fresh = db.refresh()
    if (fresh) refreshes.push(performance.now() - startedMs)
    // At a random moment, not when there has just been something new.
    ages.push(nowMs() - db.get('time'))
    await sleep(1 + Math.random() * 20)
  }
  db.close()
  process.send({ ages, refreshes })
  process.disconnect()
}

function figures(numbers) {
  const sorted = numbers.sort((a, b) => a - b)
  const at = (share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(2))
  return { median: at(0.5), p99: at(0.99), most: at(1), count: sorted.length }
}

async function measure(directory, name, pauseMs, putsAtOnce, seconds) {
  const path = join(directory, name)
  const db = open(path, { capacity: '64MiB' })
  db.putSync('time', nowMs())
  await sleep(2500) // a first checkpoint
  const child = fork(me, ['reader', path, String(seconds)])
  const answer = new Promise((resolve) => child.once('message', resolve))
  let i = 0
  const timer = setInterval(() => {
    for (let n = 0; n < putsAtOnce; n++) db.putSync(`key${i++ % 10_000}`, 'x'.repeat(100))
    db.putSync('time', nowMs())
  }, pauseMs)
  const { ages, refreshes } = await answer
  clearInterval(timer)
  const line = {
    name,
    domain: db.persistence,
    age: figures(ages),
    refresh: figures(refreshes),
    checkpoints: db.stats().checkpoints.count,
  }
  db.close()
  console.log(JSON.stringify(line))
}

const [, , role, path, seconds] = process.argv
if (role === 'reader') {
  await reader(path, Number(seconds))
} else {
  const { values } = parseArgs({
    options: { path: { type: 'string', default: '/dev/shm' }, seconds: { type: 'string', default: '20' } },
  })
  const directory = mkdtempSync(join(values.path, 'sealog-staleness-'))
  await measure(directory, 'busy: 100 puts every 2 ms', 2, 100, Number(values.seconds))
  await measure(directory, 'seldom: 1 put every 2 ms', 2, 1, Number(values.seconds))
  rmSync(directory, { recursive: true })
}

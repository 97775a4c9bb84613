// Node processes that write through the built package, killed with SIGKILL at any moment; the same stores from the first cycle to the
// last. Usage: node driver.mjs --dir DIRECTORY --cycles N --seed S [--seconds T] [--relaxed]
// The last line is `totals:` and JSON. Exit 1: something was lost or wrong; the store is left in DIRECTORY as the kill left it.
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { randomFrom } from '../../demo/words.mjs'
import { Writer } from './writer.mjs'
import { compare, readAll, SessionModel } from './verify.mjs'

const { values } = parseArgs({
  options: {
    dir: { type: 'string' },
    cycles: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: 'Infinity' },
    relaxed: { type: 'boolean', default: false },
  },
})
const [cycles, seed, seconds] = [values.cycles, values.seed, values.seconds].map(Number)
const directory = values.dir
const durability = values.relaxed ? 'relaxed' : 'sync'

/** The small one is full again and again; the large one has the default segments. */
const shapes = [
  { name: 'small', full: true, options: { capacity: '1MiB', segmentBytes: '32KiB', checkpointBytes: '64KiB' } },
  { name: 'medium', full: false, options: { capacity: '12MiB', segmentBytes: '64KiB', checkpointBytes: '128KiB' } },
  { name: 'large', full: false, options: { capacity: '40MiB' } },
]
const patienceMs = 1000
const unansweredMs = 60_000

const random = randomFrom(seed)
const below = (bound) => Math.floor(random() * bound)
/** About as often of 0.01 to 0.1 as of 1 to 10. */
const upToMs = (most) => 0.01 * (most / 0.01) ** random()
const totals = {
  domain: '',
  cycles: 0,
  kills: 0,
  killsInCreation: 0,
  killsInOpen: 0,
  killsInRecovery: 0,
  killsInCheckpoint: 0,
  killsInCleaning: 0,
  killsInClose: 0,
  cleanEnds: 0,
  sessions: 0,
  acknowledged: 0,
  inFlightKept: 0,
  refusedAsFull: 0,
  framesReplayed: 0,
  entriesRead: 0,
  lost: 0,
  wrong: 0,
}

class Failed extends Error {}

/** @param {boolean} young made for one cycle, to be killed in creation */
function subject(shape, path, subjectSeed, young) {
  return { shape, path, seed: subjectSeed, young, next: 1, model: new Map(), exists: false, needsRecovery: false }
}

/** When to kill: what must have been seen in the journal, and how long after that. */
function chooseMoment({ young }) {
  if (young && below(4) !== 0) return { seen: (told) => told.began('creating'), laterMs: upToMs(30) }
  const operations = below(below(2) === 0 ? 200 : 4000)
  const kinds = {
    never: { seen: () => false, laterMs: 0, operations },
    start: { seen: () => true, laterMs: upToMs(30) },
    opening: { seen: (told) => told.began('opening'), laterMs: upToMs(8) },
    checkpoint: { seen: (told) => told.checkpointing, laterMs: upToMs(1) },
    cleaning: { seen: (told) => told.cleaning, laterMs: upToMs(1) },
    closing: { seen: (told) => told.began('closing'), laterMs: upToMs(4), operations },
    operation: { seen: (told) => told.count > operations, laterMs: upToMs(1) },
    writing: { seen: (told) => told.began('opened'), laterMs: upToMs(200) },
  }
  const often =
    'never start opening opening opening checkpoint checkpoint cleaning cleaning closing closing operation operation operation writing writing'
  return kinds[often.split(' ')[below(16)]]
}

/** Runs the writer until it is killed, or ends. */
async function run(writer, job, moment, young) {
  writer.begin(job)
  const { told } = writer
  const begunMs = performance.now()
  let patienceBeginsMs = begunMs
  while (!writer.ended && !moment.seen(told.readOn())) {
    const nowMs = performance.now()
    // A creation takes as long as it takes, unless it is what is to be killed.
    if (job.creates && !young && !told.began('opened')) patienceBeginsMs = nowMs
    if (moment.operations === undefined && nowMs - patienceBeginsMs > patienceMs) break
    if (nowMs - begunMs > unansweredMs) throw new Failed('the writer hangs')
    await sleepMs(0.1)
  }
  if (!writer.ended) await sleepMs(moment.laterMs)
  return writer.kill()
}

const asleep = new Int32Array(new SharedArrayBuffer(4))
/** Timers are for whole milliseconds. */
async function sleepMs(ms) {
  if (ms >= 2) await sleep(ms)
  else Atomics.wait(asleep, 0, 0, ms)
  await new Promise((resolve) => setImmediate(resolve))
}

async function cycle(of, writer) {
  const moment = chooseMoment(of)
  const job = {
    path: of.path,
    seed: of.seed,
    from: of.next,
    operations: moment.operations ?? 1_000_000,
    sessionOperations: below(3) === 0 ? 20 + below(200) : 1_000_000,
    full: of.shape.full,
    creates: !of.exists,
    creationIsAsync: below(2) === 0,
    options: { ...of.shape.options, durability },
  }
  const { code, signal, stderr } = await run(writer, job, moment, of.young)
  totals.cycles++
  const told = writer.told.readOn()
  totals.sessions += told.sessions
  if (signal === 'SIGKILL' && stderr === '') countKill(of, told)
  else if (code === 0 && told.last === 'ended') totals.cleanEnds++
  else throw new Failed(`the writer ended with ${signal ?? `exit code ${code}`}: ${stderr}`)

  for (const name of readdirSync(directory)) {
    if (name.includes('.sealog-creating-')) rmSync(join(directory, name))
  }
  if (!existsSync(of.path)) {
    if (of.exists || told.began('opened')) throw new Failed('the store is gone')
    return
  }
  of.exists = true
  verify(of, told)
}

function countKill(of, told) {
  totals.kills++
  if (told.checkpointing) totals.killsInCheckpoint++
  if (told.cleaning) totals.killsInCleaning++
  if (told.last === 'creating') totals.killsInCreation++
  if (told.last === 'closing') totals.killsInClose++
  // A session after the first one in a process follows a clean end.
  if (told.last === 'opening') totals[of.needsRecovery && told.sessions === 1 ? 'killsInRecovery' : 'killsInOpen']++
}

function verify(of, told) {
  // Read-only first: the file stays as it was killed, and it is the next writer that recovers it.
  const session = new SessionModel(of, told)
  const first = readAll(of, { readOnly: true, durability })
  totals.domain = first.domain
  if (told.last === 'ended' && first.recovery.outcome !== 'clean') throw new Failed('it was closed, and is not clean')
  const { lost, wrong, problem, applied, model } = compare(session, of.model, first.found)
  totals.lost += lost
  totals.wrong += wrong
  if (problem !== undefined) throw new Failed(problem)
  totals.acknowledged += session.acknowledged - of.next + 1
  totals.inFlightKept += applied - session.acknowledged
  totals.refusedAsFull += told.refused.size
  totals.framesReplayed += first.recovery.framesReplayed
  totals.entriesRead += first.found.size
  of.model = model
  of.next = session.issued + 1
  of.needsRecovery = first.recovery.outcome !== 'clean'
  if (below(4) !== 0) return
  const again = readAll(of, { durability })
  if (compare(session, model, again.found, true).problem !== undefined) {
    throw new Failed('recovered for writing it holds something else than read-only')
  }
  of.needsRecovery = false
}

const beganMs = performance.now()
const passedSeconds = () => (performance.now() - beganMs) / 1000
function report() {
  const { cycles: n, acknowledged, lost, wrong } = totals
  const perSecond = (n / passedSeconds()).toFixed(1)
  console.log(
    `  ${n} cycles in ${passedSeconds().toFixed(1)} s (${perSecond} per second), ${acknowledged} acknowledged operations checked, ${lost} lost, ${wrong} wrong`,
  )
}

const subjects = shapes.map((shape, i) => subject(shape, join(directory, `${shape.name}.sealog`), seed * 10 + i, false))
let of, writer
// The next one starts up while this one works.
let spare = new Writer(directory)
let nextReportSeconds = 5
try {
  for (let i = 0; i < cycles && passedSeconds() < seconds; i++) {
    const young = below(8) === 0
    of = young
      ? subject(shapes[below(shapes.length)], join(directory, 'young.sealog'), seed * 1000 + i, true)
      : subjects[below(subjects.length)]
    writer = spare
    await writer.ready()
    spare = new Writer(directory)
    await cycle(of, writer)
    writer.forget()
    if (young) rmSync(of.path, { force: true })
    if (passedSeconds() < nextReportSeconds) continue
    report()
    nextReportSeconds += 5
  }
} catch (error) {
  // What a store answers is a finding as well.
  if (totals.lost + totals.wrong === 0) totals.wrong++
  console.log(
    `FAILED: cycle ${totals.cycles}, store ${of?.path} (seed of its operations ${of?.seed}, next ${of?.next}): ` +
      (error instanceof Failed ? error.message : error.stack),
  )
  process.exitCode = 1
  await writer?.kill()
} finally {
  await spare.kill()
  spare.forget()
}
report()
console.log(`totals: ${JSON.stringify(totals)}`)

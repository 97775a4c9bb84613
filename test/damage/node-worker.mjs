// Does the cases of the Node lane, and writes down before each which it is, so that node-lane.mjs knows if it ends here.
import { openSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { NodeCheck, outcomes } from './node-check.mjs'
import { ExportedStore } from './node-store.mjs'
import { chooseBits } from './node-bits.mjs'

const job = JSON.parse(argv[2])
const store = new ExportedStore(job.folder, job.variant)
const file = openSync(job.path, 'w+')
const check = new NodeCheck(store, job.path, file)
const log = openSync(job.log, 'a')
const bits = chooseBits(store, job)
const deadlineMs = Date.now() + job.seconds * 1000

for (let i = job.from; i < bits.length && Date.now() < deadlineMs; i++) {
  const bit = bits[i]
  writeSync(log, `${i} ${bit}`)
  const { outcome, wrong } = check.check(bit)
  writeSync(log, ` ${outcomes.indexOf(outcome)} ${JSON.stringify(wrong ?? '')}\n`)
}

// Forgets snapshots and iterators, some of them released, and tells what garbage collection makes of it. Needs --expose-gc.
import { setTimeout as sleep } from 'node:timers/promises'
import { open } from 'sealog'

const { path } = JSON.parse(process.argv[2])
const warnings = []
process.removeAllListeners('warning')
process.on('warning', ({ name, code }) => warnings.push({ name, code }))

const db = open(path, { capacity: '4MiB', segmentBytes: '64KiB' })
for (let i = 0; i < 2000; i++) db.put(i, i)
await db.flush()

function forget() {
  for (let i = 0; i < 3; i++) {
    db.snapshot()
    db.range().next()
    db.snapshot().release()
    db.range().toArray()
  }
}
forget()
const held = db.stats().pins.snapshots
for (let i = 0; i < 200 && db.stats().pins.snapshots > 0; i++) {
  globalThis.gc()
  await sleep(5)
}
const left = db.stats().pins.snapshots
db.close()
process.stdout.write(JSON.stringify({ held, left, warnings }))

// Opens store files by the public API, for sealog_crash (test/crash/node_peer.cc). A line in: the path and checkpointBytes, with a
// space between. A line out: what recovery decided and what is in the store, as name=value; or `refused CODE MESSAGE`.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { loadEngine } from '../../dist/engine/engine.js'
import { open } from '../../dist/index.js'
import { crc32c } from '../../dist/layout/crc32c.js'

// What passes from TypeScript to native, as it passes.
const engine = loadEngine()
const { startStore, serve } = engine
const passed = { plan: undefined, lsnJump: undefined }
engine.startStore = (handle, plan) => {
  passed.plan = Buffer.from(plan)
  return startStore(handle, plan)
}
engine.serve = (handle, options) => {
  passed.lsnJump = options.lsnJump
  return serve(handle, options)
}

/** CRC-32C over the length and bytes of each key and value, as DigestOf() of node_peer.cc. */
function digestOf(entries) {
  const length = Buffer.alloc(4)
  let digest = 0
  for (const entry of entries) {
    for (const bytes of [entry.key, entry.value]) {
      length.writeUInt32LE(bytes.length)
      digest = crc32c(crc32c(digest, length), bytes)
    }
  }
  return digest
}

/** A crash tears the slot or the superblock that is being written, cuts off growth, and does nothing else to META. */
const isOfCrash = (finding) => /^(checkpoint slot|superblock) [01AB] is damaged|^growth /.test(finding)

function answer(path, checkpointBytes) {
  const db = open(path, { createIfMissing: false, checkpointBytes })
  try {
    const { recovery } = db
    return {
      outcome: recovery.outcome,
      jump: passed.lsnJump,
      checkpoint: recovery.checkpoint,
      lsn: recovery.lsn,
      frames: recovery.framesReplayed,
      records: recovery.recordsReplayed,
      bytes: recovery.bytesReplayed,
      torn: recovery.tornAt ?? -1,
      pending: recovery.discardedRecords,
      findings: recovery.findings.filter((finding) => !isOfCrash(finding)).length,
      count: db.count(),
      forward: digestOf(db.range()),
      backward: digestOf(db.range({ reverse: true })),
      plan: passed.plan.toString('hex'),
    }
  } finally {
    db.close()
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const space = line.lastIndexOf(' ')
  let reply
  try {
    const fields = answer(line.slice(0, space), Number(line.slice(space + 1)))
    reply = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  } catch (error) {
    reply = ['refused', error.code ?? error.name, String(error.message).replaceAll('\n', ' ')]
  }
  writeSync(1, `${reply.join(' ')}\n`)
}

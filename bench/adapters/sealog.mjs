// Sealog of this tree, or of the tree in SEALOG_BENCH_TREE (bench:compare).
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { visit } from './support.mjs'

const tree = process.env.SEALOG_BENCH_TREE
const entry = tree ? pathToFileURL(join(tree, 'dist', 'index.js')).href : '../../dist/index.js'

const sealog = await import(entry)

export const name = 'sealog'
export const kind = 'sealog'
export const modes = {
  sync: { promise: 'power', settings: "defaults: durability 'sync', keys 'ordered'" },
  relaxed: { promise: 'kill', settings: "durability 'relaxed', keys 'ordered'" },
}
export const version = () => 'this tree'

export async function open(path, { mode, values, writesMax, grows = false, readOnly = false, patient = true }) {
  const options = {
    encoding: values === 'object' ? 'msgpack' : 'binary',
    durability: mode,
    // A frame of 192 bytes a put and its part of the index; nothing has to be given back within a run.
    ...(readOnly ? { readOnly } : { capacity: Math.ceil(writesMax * 280 + 48 * 2 ** 20) }),
    ...(grows && { capacity: '64MiB', autoGrow: { step: '16MiB', max: '16GiB' } }),
  }
  const db = sealog.open(join(path, 'store'), options)
  while (patient && !readOnly && (db.persistence === 'memory' || db.persistence === 'pmem') && !db.seal.populated)
    await sleep(5)
  return {
    persistence: db.persistence,
    put: (key, value) => db.putSync(key, value),
    putShared: (key, value) => db.put(key, value),
    batch: (operations) => db.batchSync(operations),
    get: (key) => db.get(key),
    getMany: (keys) => db.getMany(keys),
    range: (from, limit) => visit(db.range({ gte: from, limit })),
    scan: () => visit(db.range()),
    bytes: () => db.info.fileBytes,
    stats: () => db.stats(),
    close: () => db.close(),
  }
}

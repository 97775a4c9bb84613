// @nxtedition/rocksdb, by its synchronous calls, which are its quickest (abstract-level's only wrap them in promises).
import { join } from 'node:path'
import { RocksLevel } from '@nxtedition/rocksdb'
import { bytesOf, levelModes, levelOptions, packageVersion, sharedCommits, visitPages } from './support.mjs'

export const name = 'rocksdb'
export const kind = 'peer'
export const modes = levelModes
const none = {}
export const version = () => packageVersion('@nxtedition/rocksdb')

export async function open(path, { mode, values, bulk = false }) {
  const db = new RocksLevel(join(path, 'rocksdb'), levelOptions(values))
  await db.open()
  const options = { sync: mode === 'sync' && !bulk }
  const decode = values === 'object' ? (bytes) => JSON.parse(bytes.toString()) : (bytes) => bytes
  const getMany = (keys) =>
    db._getManySync(
      keys.map((key) => Buffer.from(key, 'latin1')),
      { valueEncoding: 'buffer' },
    )
  const visit = (range) => visitPages(db.iterator(range))
  const encode = values === 'object' ? (value) => Buffer.from(JSON.stringify(value)) : (value) => value
  const commit = (changes) => {
    changes._writeSync(options)
    changes._closeSync()
    db.detachResource(changes)
  }
  const batch = (operations) => {
    const changes = db._chainedBatch()
    for (const { type, key, value } of operations) {
      if (type === 'put') changes._put(key, encode(value), none)
      else changes._del(key, none)
    }
    commit(changes)
  }
  return {
    asyncScans: true,
    put(key, value) {
      const change = db._chainedBatch()
      change._put(key, encode(value), none)
      commit(change)
    },
    putShared: sharedCommits(batch),
    batch,
    get(key) {
      const [value] = getMany([key])
      return value == null ? undefined : decode(value)
    },
    getMany: (keys) => getMany(keys).map((value) => (value == null ? undefined : decode(value))),
    range: (from, limit) => visit({ gte: from, limit }),
    scan: () => visit({}),
    bytes: () => bytesOf(path),
    close: () => db.close(),
  }
}

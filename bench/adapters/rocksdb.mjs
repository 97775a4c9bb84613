// @nxtedition/rocksdb, by its synchronous calls, which are its quickest (abstract-level's only wrap them in promises).
import { join } from 'node:path'
import { RocksLevel } from '@nxtedition/rocksdb'
import { bytesOf, packageVersion, sharedCommits } from './support.mjs'

export const name = 'rocksdb'
export const kind = 'peer'
export const modes = {
  sync: { promise: 'power', settings: 'sync: true; writeBufferSize 64 MiB, cacheSize 256 MiB, compression off' },
  nosync: { promise: 'kill', settings: 'sync: false; else as above' },
}
const none = {}
export const version = () => packageVersion('@nxtedition/rocksdb')

export async function open(path, { mode, values, bulk = false }) {
  const db = new RocksLevel(join(path, 'rocksdb'), {
    keyEncoding: 'utf8',
    valueEncoding: values === 'object' ? 'json' : 'buffer',
    writeBufferSize: 64 * 2 ** 20,
    cacheSize: 256 * 2 ** 20,
    compression: false,
  })
  await db.open()
  const options = { sync: mode === 'sync' && !bulk }
  const decode = values === 'object' ? (bytes) => JSON.parse(bytes.toString()) : (bytes) => bytes
  const getMany = (keys) =>
    db._getManySync(
      keys.map((key) => Buffer.from(key, 'latin1')),
      { valueEncoding: 'buffer' },
    )
  const visit = async (range) => {
    const iterator = db.iterator(range)
    let count = 0
    let bytes = 0
    for (;;) {
      const entries = await iterator.nextv(1000)
      if (entries.length === 0) break
      for (const [key, value] of entries) {
        count++
        bytes += key.length + value.length
      }
    }
    await iterator.close()
    return bytes < 0 ? -1 : count
  }
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

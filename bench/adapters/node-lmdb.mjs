import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import lmdb from 'node-lmdb'
import { bytesOf, packageVersion, sharedCommits } from './support.mjs'

export const name = 'node-lmdb'
export const kind = 'peer'
export const modes = {
  sync: { promise: 'power', settings: 'defaults; a read transaction per get is reset and renewed' },
  nosync: { promise: 'kill', settings: 'noSync: true' },
}
export const version = () => packageVersion('node-lmdb')

export function open(path, { mode, values, bulk = false, readOnly = false }) {
  const directory = join(path, 'node-lmdb')
  mkdirSync(directory, { recursive: true })
  const env = new lmdb.Env()
  env.open({ path: directory, mapSize: 8 * 2 ** 30, noSync: mode === 'nosync' || bulk, readOnly })
  const dbi = env.openDbi({ name: null, create: !readOnly, keyIsString: true })
  const [encode, decode] =
    values === 'object'
      ? [(v) => Buffer.from(JSON.stringify(v)), (v) => JSON.parse(v.toString())]
      : [(v) => v, (v) => v]
  const reader = env.beginTxn({ readOnly: true })
  reader.reset()
  const write = (operations) => {
    const txn = env.beginTxn()
    for (const { type, key, value } of operations) {
      if (type === 'put') txn.putBinary(dbi, key, encode(value))
      else txn.del(dbi, key)
    }
    txn.commit()
  }
  const read = (key) => {
    const value = reader.getBinary(dbi, key)
    return value === null ? undefined : decode(value)
  }
  const visit = (from, limit) => {
    reader.renew()
    const cursor = new lmdb.Cursor(reader, dbi)
    let count = 0
    let bytes = 0
    for (
      let key = from === undefined ? cursor.goToFirst() : cursor.goToRange(from);
      key !== null && count < limit;
      key = cursor.goToNext()
    ) {
      count++
      bytes += key.length + cursor.getCurrentBinary().length
    }
    cursor.close()
    reader.reset()
    return bytes < 0 ? -1 : count
  }
  return {
    put(key, value) {
      const txn = env.beginTxn()
      txn.putBinary(dbi, key, encode(value))
      txn.commit()
    },
    putShared: sharedCommits(write),
    batch: write,
    get(key) {
      reader.renew()
      const value = read(key)
      reader.reset()
      return value
    },
    getMany(keys) {
      reader.renew()
      const found = keys.map(read)
      reader.reset()
      return found
    },
    range: (from, limit) => visit(from, limit),
    scan: () => visit(undefined, Infinity),
    bytes: () => bytesOf(path),
    close() {
      reader.abort()
      dbi.close()
      env.close()
    },
  }
}

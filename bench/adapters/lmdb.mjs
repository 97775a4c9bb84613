import { join } from 'node:path'
import { open as openLmdb } from 'lmdb'
import { bytesOf, packageVersion, visit } from './support.mjs'

export const name = 'lmdb'
export const kind = 'peer'
export const modes = {
  sync: { promise: 'power', settings: 'overlappingSync: false, so that a commit returns when it is on the device' },
  nosync: { promise: 'kill', settings: 'noSync: true' },
}
export const version = () => packageVersion('lmdb')

export function open(path, { mode, values, bulk = false, readOnly = false }) {
  const db = openLmdb({
    path: join(path, 'lmdb'),
    encoding: values === 'object' ? 'msgpack' : 'binary',
    ...(values === 'object' ? { sharedStructuresKey: Symbol.for('structures') } : {}),
    overlappingSync: false,
    noSync: mode === 'nosync' || bulk,
    mapSize: 8 * 2 ** 30,
    readOnly,
  })
  return {
    put: (key, value) => void db.putSync(key, value),
    putShared: (key, value) => db.put(key, value),
    batch: (operations) =>
      db.transactionSync(() => {
        for (const { type, key, value } of operations) {
          if (type === 'put') db.putSync(key, value)
          else db.removeSync(key)
        }
      }),
    get: (key) => db.get(key),
    // Its own getMany is for what is not in memory, and slower here.
    getMany: (keys) => keys.map((key) => db.get(key)),
    range: (from, limit) => visit(db.getRange({ start: from, limit })),
    scan: () => visit(db.getRange({})),
    bytes: () => bytesOf(path),
    close: () => db.close(),
  }
}

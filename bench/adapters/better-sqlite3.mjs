import { join } from 'node:path'
import Database from 'better-sqlite3'
import { bytesOf, packageVersion, sharedCommits, visit } from './support.mjs'

export const name = 'better-sqlite3'
export const kind = 'peer'
export const modes = {
  full: { promise: 'power', settings: 'WAL, synchronous FULL; WITHOUT ROWID, cache and mmap of 1 GiB' },
  normal: { promise: 'kill', settings: 'WAL, synchronous NORMAL; else as above' },
}
export const version = () => packageVersion('better-sqlite3')

export function open(path, { mode, values, bulk = false, readOnly = false }) {
  const db = new Database(join(path, 'sqlite.db'), { readonly: readOnly })
  if (!readOnly) {
    db.pragma('journal_mode = WAL')
    db.pragma(`synchronous = ${bulk ? 'OFF' : mode.toUpperCase()}`)
    db.exec('CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID')
  }
  db.pragma('cache_size = -1048576')
  db.pragma('mmap_size = 1073741824')
  const [encode, decode] = values === 'object' ? [JSON.stringify, JSON.parse] : [(v) => v, (v) => v]
  const writes = readOnly
    ? undefined
    : {
        put: db.prepare('INSERT INTO kv VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'),
        del: db.prepare('DELETE FROM kv WHERE key = ?'),
      }
  const one = db.prepare('SELECT value FROM kv WHERE key = ?').pluck()
  const some = db.prepare('SELECT key, value FROM kv WHERE key >= ? ORDER BY key LIMIT ?')
  const all = db.prepare('SELECT key, value FROM kv ORDER BY key')
  const get = (key) => {
    const value = one.get(key)
    return value === undefined ? undefined : decode(value)
  }
  const batch = db.transaction((operations) => {
    for (const { type, key, value } of operations) {
      if (type === 'put') writes.put.run(key, encode(value))
      else writes.del.run(key)
    }
  })
  return {
    put: (key, value) => void writes.put.run(key, encode(value)),
    putShared: sharedCommits(batch),
    batch,
    get,
    getMany: (keys) => keys.map(get),
    range: (from, limit) => visit(some.all(from, limit)),
    scan: () => visit(all.iterate()),
    bytes: () => bytesOf(path),
    close: () => db.close(),
  }
}

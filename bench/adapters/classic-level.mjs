import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { bytesOf, levelModes, levelOptions, packageVersion, sharedCommits, visitPages } from './support.mjs'

export const name = 'classic-level'
export const kind = 'peer'
export const modes = levelModes
export const version = () => packageVersion('classic-level')

export async function open(path, { mode, values, bulk = false }) {
  const db = new ClassicLevel(join(path, 'level'), levelOptions(values))
  await db.open()
  const options = { sync: mode === 'sync' && !bulk }
  const visit = (range) => visitPages(db.iterator({ ...range, highWaterMarkBytes: 2 ** 20 }))
  const batch = (operations) => db.batch(operations, options)
  return {
    asyncWrites: true,
    asyncScans: true,
    put: (key, value) => db.put(key, value, options),
    putShared: sharedCommits(batch),
    batch,
    get: (key) => db.getSync(key),
    getMany: (keys) => keys.map((key) => db.getSync(key)),
    range: (from, limit) => visit({ gte: from, limit }),
    scan: () => visit({}),
    bytes: () => bytesOf(path),
    close: () => db.close(),
  }
}

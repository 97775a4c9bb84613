import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { bytesOf, packageVersion, sharedCommits } from './support.mjs'

export const name = 'classic-level'
export const kind = 'peer'
export const modes = {
  sync: { promise: 'power', settings: 'sync: true; writeBufferSize 64 MiB, cacheSize 256 MiB, compression off' },
  nosync: { promise: 'kill', settings: 'sync: false; else as above' },
}
export const version = () => packageVersion('classic-level')

export async function open(path, { mode, values, bulk = false }) {
  const db = new ClassicLevel(join(path, 'level'), {
    keyEncoding: 'utf8',
    valueEncoding: values === 'object' ? 'json' : 'buffer',
    writeBufferSize: 64 * 2 ** 20,
    cacheSize: 256 * 2 ** 20,
    compression: false,
  })
  await db.open()
  const options = { sync: mode === 'sync' && !bulk }
  const visit = async (range) => {
    const iterator = db.iterator({ ...range, highWaterMarkBytes: 2 ** 20 })
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

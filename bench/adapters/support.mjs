import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const modules = new URL('../node_modules/', import.meta.url)

export function packageVersion(name) {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, modules), 'utf8')).version
}

/** Bytes on the device of all files in a directory. */
export function bytesOf(directory) {
  return readdirSync(directory, { recursive: true }).reduce(
    (sum, file) => sum + statSync(join(directory, file)).blocks * 512,
    0,
  )
}

/**
 * Promises of one turn of the event loop as one commit, for engines that have no such thing.
 * @param {(operations: object[]) => void | Promise<void>} commit
 */
export function sharedCommits(commit) {
  let waiting = []
  let busy = false
  const flush = async () => {
    const group = waiting
    waiting = []
    busy = true
    try {
      await commit(group.map(({ operation }) => operation))
      for (const { resolve } of group) resolve()
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
    busy = false
    if (waiting.length > 0) setImmediate(flush)
  }
  return (key, value) =>
    new Promise((resolve, reject) => {
      waiting.push({ operation: { type: 'put', key, value }, resolve, reject })
      if (waiting.length === 1 && !busy) setImmediate(flush)
    })
}

/** Counts entries, and touches the key and the value of each. */
export function visit(entries) {
  let count = 0
  let bytes = 0
  for (const { key, value } of entries) {
    count++
    bytes += key.length + value.length
  }
  return bytes < 0 ? -1 : count
}

/** As visit, of an iterator of abstract-level's, which it closes. */
export async function visitPages(iterator) {
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

/** LevelDB and its descendants alike. */
export const levelModes = {
  sync: { promise: 'power', settings: 'sync: true; writeBufferSize 64 MiB, cacheSize 256 MiB, compression off' },
  nosync: { promise: 'kill', settings: 'sync: false; else as above' },
}
export function levelOptions(values) {
  return {
    keyEncoding: 'utf8',
    valueEncoding: values === 'object' ? 'json' : 'buffer',
    writeBufferSize: 64 * 2 ** 20,
    cacheSize: 256 * 2 ** 20,
    compression: false,
  }
}

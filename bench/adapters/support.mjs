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

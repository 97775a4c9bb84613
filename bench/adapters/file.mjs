// A floor: a preallocated and written file, a pwrite and an fdatasync for each commit. What one flush of the device costs; no index.
import { closeSync, fdatasyncSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export const name = 'file'
export const kind = 'floor'
export const modes = { sync: { promise: 'power', settings: 'pwrite + fdatasync into a file that was written before' } }
export const version = () => process.version

const recordBytes = 192
const fileBytes = 64 * 2 ** 20

export function open(path) {
  const fd = openSync(join(path, 'floor'), 'w+')
  const zeros = Buffer.alloc(2 ** 20)
  for (let at = 0; at < fileBytes; at += zeros.length) writeSync(fd, zeros, 0, zeros.length, at)
  fsyncSync(fd)
  const record = Buffer.alloc(recordBytes * 1000)
  let at = 0
  let waiting = []

  const place = (index, key, value) => {
    record.write(key, index * recordBytes, 'latin1')
    if (value !== undefined) record.set(value, index * recordBytes + 32)
  }
  const write = (count) => {
    const bytes = count * recordBytes
    if (at + bytes > fileBytes) at = 0
    if (writeSync(fd, record, 0, bytes, at) !== bytes) throw new Error('a short write')
    fdatasyncSync(fd)
    at += bytes
  }
  const writeWaiting = () => {
    const group = waiting
    waiting = []
    write(group.length)
    for (const resolve of group) resolve()
  }
  return {
    put(key, value) {
      place(0, key, value)
      write(1)
    },
    putShared(key, value) {
      place(waiting.length, key, value)
      return new Promise((resolve) => {
        if (waiting.push(resolve) === 1) setImmediate(writeWaiting)
      })
    },
    batch(operations) {
      operations.forEach(({ key, value }, index) => place(index, key, value))
      write(operations.length)
    },
    close() {
      const last = Buffer.alloc(recordBytes)
      const read = readSync(fd, last, 0, recordBytes, Math.max(0, at - recordBytes))
      if (read !== recordBytes || last.every((byte) => byte === 0)) throw new Error('nothing was written')
      closeSync(fd)
    },
  }
}

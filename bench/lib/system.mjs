import { spawnSync } from 'node:child_process'
import { readFileSync, statfsSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

const types = { 0x01021994: 'tmpfs', 0xef53: 'ext4', 0x58465342: 'xfs', 0x9123683e: 'btrfs', 0x794c7630: 'overlay' }

/** 'tmpfs', 'ext4', …; the magic number where there is no name for it. */
export function fileSystemOf(path) {
  const { type } = statfsSync(path)
  return types[type] ?? `0x${type.toString(16)}`
}

/** Bytes of this process: anonymous, and of mapped files. */
export function memoryOf() {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024
  return { anonymous: field('RssAnon'), mapped: field('RssFile') + field('RssShmem') }
}

/** What was written so far is on the device, so that it does not get there under the clock. */
export function settle(directory) {
  spawnSync('sync', ['-f', directory])
}

/** What figures stand beside. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  }
}

// Where the stores lie: tmpfs, and an ext4 of our own on a loop device.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loopMount } from '../../scripts/loop-mount.mjs'

const memoryDirectory = '/dev/shm'
const imageBytes = 256 * 2 ** 20

function memoryOrDisk() {
  try {
    accessSync(memoryDirectory, constants.W_OK)
    return memoryDirectory
  } catch {
    return tmpdir()
  }
}

/** @returns {{ directory: string, remove(): void }} */
export function onTmpfs() {
  const base = memoryOrDisk()
  if (base !== memoryDirectory) console.log(`SKIPPED: tmpfs: ${memoryDirectory} cannot be written; ${base} instead`)
  const directory = mkdtempSync(join(base, 'sealog-kill-'))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** The image lies in memory where it can: a kill leaves the page cache, so the device does not matter. */
export function onExt4() {
  try {
    return loopMount(mkdtempSync(join(memoryOrDisk(), 'sealog-kill-')), 'ext4', imageBytes, '-m', '0')
  } catch (error) {
    const directory = mkdtempSync(join(tmpdir(), 'sealog-kill-'))
    console.log(`SKIPPED: ext4 of our own (${error.message}); ${tmpdir()} instead`)
    return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
  }
}

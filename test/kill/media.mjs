// Where the stores lie: tmpfs, and an ext4 of our own on a loop device.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const memoryDirectory = '/dev/shm'
const imageBytes = 256 * 2 ** 20

function run(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program}: ${error?.message ?? stderr.trim()}`)
  return stdout.trim()
}

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
  const undo = []
  const remove = () => {
    while (undo.length > 0) undo.pop()()
  }
  try {
    if (process.getuid() !== 0) throw new Error('mounting needs root')
    const scratch = mkdtempSync(join(memoryOrDisk(), 'sealog-kill-'))
    undo.push(() => rmSync(scratch, { recursive: true, force: true }))
    const image = join(scratch, 'image')
    writeFileSync(image, '')
    truncateSync(image, imageBytes)
    run('mkfs.ext4', '-q', '-F', '-m', '0', image)
    const device = run('losetup', '--find', '--show', image)
    undo.push(() => run('losetup', '--detach', device))
    const directory = join(scratch, 'mnt')
    mkdirSync(directory)
    run('mount', device, directory)
    undo.push(() => run('umount', directory))
    return { directory, remove }
  } catch (error) {
    remove()
    const directory = mkdtempSync(join(tmpdir(), 'sealog-kill-'))
    console.log(`SKIPPED: ext4 of our own (${error.message}); ${tmpdir()} instead`)
    return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
  }
}

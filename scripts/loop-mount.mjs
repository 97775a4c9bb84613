// A file system of one's own in a sparse image on a loop device: for tests and benches. Needs root.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Runs a program of the system. @returns what it printed @throws with what it complained of, if it fails */
export function run(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`)
  return stdout.trim()
}

/**
 * @param {string} scratch a directory, removed with it, or when it cannot be had
 * @param {'ext4' | 'xfs'} type
 * @param {number} bytes of the image
 * @param {string[]} options of mkfs
 * @returns {{ directory: string, remove(): void }}
 */
export function loopMount(scratch, type, bytes, ...options) {
  const undo = [() => rmSync(scratch, { recursive: true, force: true })]
  const remove = () => {
    for (const signal of signals) process.off(signal, stop)
    while (undo.length > 0) undo.pop()()
  }
  const stop = () => {
    remove()
    process.exit(1)
  }
  for (const signal of signals) process.on(signal, stop)
  try {
    if (process.getuid() !== 0) throw new Error('mounting needs root')
    const image = join(scratch, 'image')
    writeFileSync(image, '')
    truncateSync(image, bytes)
    run(`mkfs.${type}`, '-q', type === 'xfs' ? '-f' : '-F', ...options, image)
    const device = run('losetup', '--find', '--show', image)
    undo.push(() => run('losetup', '--detach', device))
    const directory = join(scratch, 'mnt')
    mkdirSync(directory)
    run('mount', device, directory)
    undo.push(() => run('umount', directory))
    return { directory, remove }
  } catch (error) {
    remove()
    throw error
  }
}

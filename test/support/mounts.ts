import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { loopMount, run } from '../../scripts/loop-mount.mjs'
import { scratchDirectory } from './scratch.ts'

/** Why tests that mount file systems cannot run here; undefined if they can. Printed, so that it is seen. */
export function whyNoMounts(...programs: string[]): string | undefined {
  let why: string | undefined
  if (process.getuid?.() !== 0) why = 'mounting needs root'
  for (const program of ['mount', 'umount', ...programs]) {
    if (spawnSync(program, ['--version']).error) why ??= `there is no ${program}`
  }
  if (why === undefined) {
    // Some containers have a root that may not mount.
    const probe = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' })
    if (probe.status !== 0) why = `mounting is not permitted: ${probe.stderr.trim()}`
  }
  if (why !== undefined) console.log(`skipped: ${why}`)
  return why
}

/** A new tmpfs of so many bytes, gone when the test is over. @returns its directory */
export function mountTmpfs(bytes: number): string {
  const directory = join(scratchDirectory('disk'), 'mnt')
  mkdirSync(directory)
  run('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory)
  onTestFinished(() => {
    run('umount', directory)
  })
  return directory
}

export type DiskFileSystem = 'ext4' | 'xfs'

/** xfsprogs makes none smaller than 300 MB. */
const imageBytes: Record<DiskFileSystem, number> = { ext4: 64 * 2 ** 20, xfs: 320 * 2 ** 20 }

/** A new file system in a sparse image on a loop device; all of it is gone when the test is over. @returns its directory */
export function mountLoop(type: DiskFileSystem): string {
  const options = type === 'xfs' ? ['-m', 'reflink=1'] : ['-m', '0']
  const { directory, remove } = loopMount(scratchDirectory('disk'), type, imageBytes[type], ...options)
  onTestFinished(remove)
  return directory
}

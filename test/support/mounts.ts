import { spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { scratchDirectory } from './scratch.ts'

/** Runs a program of the system. @throws with what it printed, if it fails */
export function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

function mount(directory: string, ...args: string[]): void {
  mkdirSync(directory)
  run('mount', ...args, directory)
  onTestFinished(() => {
    run('umount', directory)
  })
}

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
  mount(directory, '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs')
  return directory
}

export type DiskFileSystem = 'ext4' | 'xfs'

/** xfsprogs makes none smaller than 300 MB. */
const imageBytes: Record<DiskFileSystem, number> = { ext4: 64 * 2 ** 20, xfs: 320 * 2 ** 20 }

/** A new file system in a sparse image on a loop device; all of it is gone when the test is over. @returns its directory */
export function mountLoop(type: DiskFileSystem): string {
  const scratch = scratchDirectory('disk')
  const image = join(scratch, 'image')
  writeFileSync(image, '')
  truncateSync(image, imageBytes[type])
  if (type === 'xfs') run('mkfs.xfs', '-q', '-f', '-m', 'reflink=1', image)
  else run('mkfs.ext4', '-q', '-F', '-m', '0', image)
  const device = run('losetup', '--find', '--show', image)
  onTestFinished(() => {
    run('losetup', '--detach', device)
  })
  const directory = join(scratch, 'mnt')
  mount(directory, device)
  return directory
}

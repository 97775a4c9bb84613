import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type OpenOptions, type Store, open } from '../../src/index.ts'

const memory = '/dev/shm'

/** A small store: quick to create, and with segments that fill up soon. */
export const small = { capacity: '4MiB', segmentBytes: '64KiB' } as const satisfies OpenOptions

function writable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** A directory that is gone when the test is over: in memory where that can be had, else (or if asked) on the disk. */
export function scratchDirectory(on: 'memory' | 'disk' = 'memory'): string {
  const directory = mkdtempSync(join(on === 'memory' && writable(memory) ? memory : tmpdir(), 'sealog-api-'))
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

/** A new small store in a scratch directory, closed when the test is over. */
export function openScratch<V = unknown>(options: OpenOptions<V> = {}, on: 'memory' | 'disk' = 'memory'): Store<V> {
  const db = open<V>(join(scratchDirectory(on), 'store'), { ...small, ...options })
  onTestFinished(() => {
    db.close()
  })
  return db
}

import { run } from '../../scripts/loop-mount.mjs'

/** Deallocates `[offset, offset + bytes)` of a file; it reads as zeros from then on. */
export function punchHole(path: string, offset: number, bytes: number): void {
  run('fallocate', '--punch-hole', '--offset', String(offset), '--length', String(bytes), path)
}

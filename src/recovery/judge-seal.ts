import type { RegionInfo, SealProbe } from '../engine/engine.ts'
import type { SealRecord } from '../layout/seal.ts'

/** What to do about a seal: nothing, record what is there now, or mend the block map and record that. */
export interface SealVerdict {
  readonly verdict: 'unchanged' | 'reseal' | 'repair'
  readonly reasons: readonly string[]
}

/** Compares the block map with what was recorded when it was sealed. */
export function judgeSeal(record: SealRecord | undefined, probe: SealProbe, info: RegionInfo): SealVerdict {
  if (record === undefined) return { verdict: 'repair', reasons: ['no valid seal record'] }

  const broken = whyWorse(probe, record.level)
  if (broken.length > 0) return { verdict: 'repair', reasons: broken }

  const moved: string[] = []
  if (!sameFileSystem(record, probe, info)) moved.push('the file is on another file system')
  else if (record.inode !== probe.inode || record.generation !== probe.generation) moved.push('the file is a copy')
  if (record.regionBytes !== info.fileBytes) moved.push('the file has another size')
  if (record.digest !== digestOf(probe) || record.extents !== probe.extents) moved.push('blocks were moved')
  return moved.length > 0 ? { verdict: 'reseal', reasons: moved } : { verdict: 'unchanged', reasons: [] }
}

/** Why a block map is worse than `level`, 0 sparse to 2 sealed; empty if it is not. */
export function whyWorse(probe: SealProbe, level: number): string[] {
  const broken: string[] = []
  if (probe.holeBytes > 0 && level > 0) broken.push(`${probe.holeBytes} bytes are holes`)
  if (probe.unwrittenBytes > 0 && level > 1) broken.push(`${probe.unwrittenBytes} bytes are unwritten extents`)
  if (probe.sharedBytes > 0) broken.push(`${probe.sharedBytes} bytes are shared with another file`)
  if (probe.level < level && broken.length === 0) broken.push('the block map proves less than it did')
  return broken
}

/** By its UUID, since device numbers change over a reboot; by the device where there is none. */
function sameFileSystem(record: SealRecord, probe: SealProbe, info: RegionInfo): boolean {
  const unknown = (uuid: Uint8Array): boolean => uuid.every((byte) => byte === 0)
  if (unknown(record.fsUuid) || unknown(info.fsUuid)) return record.device === probe.device
  return Buffer.compare(record.fsUuid, info.fsUuid) === 0
}

/** The digest of the extents as 16 hexadecimal digits. */
export function digestOf(probe: SealProbe): string {
  const half = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')
  return half(probe.digestHi) + half(probe.digestLo)
}

import { readFileSync, writeFileSync } from 'node:fs'
import { type CheckpointSlot, decodeCheckpointSlot } from '../../src/layout/checkpoint.ts'
import { layoutConstants } from '../../src/layout/constants.ts'
import { storeSeed } from '../../src/layout/crc32c.ts'
import { decodeSuperblock, type Superblock } from '../../src/layout/superblock.ts'
import { encodeSuperblock } from './meta-bytes.ts'

export const superblockAt = [0, 4096] as const
export const slotAt = [8192, 12288] as const
export const tableAt = layoutConstants.kSegmentTableOffset

/** Changes the bytes of a closed store's file. */
export function edit(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

export function flip(bytes: Buffer, at: number): void {
  bytes[at] = bytes[at]! ^ 0x10
}

export function superblockOf(bytes: Buffer, i: 0 | 1): Superblock | undefined {
  const at = superblockAt[i]
  const decoded = decodeSuperblock(bytes.subarray(at, at + layoutConstants.kSuperblockBytes), at)
  return decoded.ok ? decoded.value : undefined
}

/** Writes other fields, with the right checksum, into every superblock that is there. */
export function editSuperblocks(path: string, fields: Partial<Superblock>): void {
  edit(path, (bytes) => {
    for (const i of [0, 1] as const) {
      const superblock = superblockOf(bytes, i)
      if (superblock) bytes.set(encodeSuperblock({ ...superblock, ...fields }), superblockAt[i])
    }
  })
}

/** The valid checkpoint slots, the newest first. */
export function slotsOf(bytes: Buffer): { readonly i: 0 | 1; readonly slot: CheckpointSlot }[] {
  const seed = storeSeed(superblockOf(bytes, 0)!.uuid)
  return ([0, 1] as const)
    .flatMap((i) => {
      const decoded = decodeCheckpointSlot(
        bytes.subarray(slotAt[i], slotAt[i] + layoutConstants.kCheckpointSlotBytes),
        i,
        seed,
      )
      return decoded.ok ? [{ i, slot: decoded.value }] : []
    })
    .sort((a, b) => b.slot.sequence - a.slot.sequence)
}

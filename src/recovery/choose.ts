import { Status } from '../engine/status.ts'
import { type CheckpointSlot, decodeCheckpointSlot, type LogPosition } from '../layout/checkpoint.ts'
import { layoutConstants } from '../layout/constants.ts'
import { storeSeed } from '../layout/crc32c.ts'
import type { Decoded } from '../layout/fields.ts'
import { decodeSealRecord, type SealRecord } from '../layout/seal.ts'
import { decodeSuperblock, type Superblock } from '../layout/superblock.ts'

/** Why a store is not opened, to be thrown by recover.ts. The file is left as it is. */
export interface Refusal {
  readonly ok: false
  readonly status: Status
  /** Bytes from the start of the file. */
  readonly offset: number
  /** A clause for the message. */
  readonly detail: string
}

/** What the fixed part of META says. */
export interface MetaChoice {
  readonly ok: true
  readonly superblock: Superblock
  /** Which copy of it counts: 0 for A, 1 for B. */
  readonly current: 0 | 1
  /** Whether the other copy is like it. */
  readonly alike: boolean
  /** Bytes of the file behind the store's end, and what growth that was cut off has left, as a clause. */
  readonly excessBytes: number
  readonly growth: string | undefined
  /** What the store's checksums start with. */
  readonly seed: number
  /** Valid checkpoints, the newest first; at least one. */
  readonly slots: readonly CheckpointSlot[]
  readonly seal: SealRecord | undefined
  /** What was found damaged and replaced by its other copy, as clauses. */
  readonly findings: readonly string[]
}

const featuresIncompatKnown = BigInt(layoutConstants.kFeatureExpiry | layoutConstants.kFeatureCleaning)
const featuresReadOnlyKnown = 0n

/**
 * Chooses from META: the valid superblock with the greatest sequence, the valid checkpoints, the valid seal record with the
 * greatest sequence.
 * @param meta the first 32 KiB of the file, or all of a shorter one
 * @param fileBytes the file's size
 */
export function chooseMeta(meta: Uint8Array, fileBytes: number, readOnly: boolean): MetaChoice | Refusal {
  const findings: string[] = []
  const chosen = chooseSuperblock(meta, findings)
  if (!chosen.ok) return chosen
  const { superblock } = chosen
  const refusal = checkSuperblock(superblock, fileBytes, readOnly)
  if (refusal) return refusal

  const seed = storeSeed(superblock.uuid)
  const slots = chooseSlots(meta, superblock, seed, findings)
  if (slots.length === 0) return refuse(Status.Corrupt, slotOffsets[0], 'neither checkpoint slot is valid')
  const excessBytes = fileBytes - superblock.regionBytes
  return {
    ...chosen,
    excessBytes,
    growth: growthOf(chosen, excessBytes),
    seed,
    slots,
    seal: chooseSeal(meta, seed),
    findings,
  }
}

interface ChosenSuperblock {
  readonly ok: true
  readonly superblock: Superblock
  readonly current: 0 | 1
  readonly alike: boolean
  /** The other copy is whole, and older: growth or an upgrade writes one after the other. */
  readonly otherIsOlder: boolean
}

function growthOf({ superblock, otherIsOlder }: ChosenSuperblock, excessBytes: number): string | undefined {
  if (excessBytes > 0) return `growth was cut off: the file has ${excessBytes} bytes behind the store's end`
  return otherIsOlder ? `growth to ${superblock.regionBytes} bytes was cut off behind its first superblock` : undefined
}

const superblockOffsets = [layoutConstants['kSuperblockOffset.0'], layoutConstants['kSuperblockOffset.1']] as const
const slotOffsets = [layoutConstants['kCheckpointSlotOffset.0'], layoutConstants['kCheckpointSlotOffset.1']] as const
const sealOffsets = [layoutConstants['kSealRecordOffset.0'], layoutConstants['kSealRecordOffset.1']] as const

/** The structure at `offset`, shorter where the file ends. */
function at(meta: Uint8Array, offset: number, bytes: number): Uint8Array {
  return meta.subarray(Math.min(offset, meta.length), Math.min(offset + bytes, meta.length))
}

function chooseSuperblock(meta: Uint8Array, findings: string[]): ChosenSuperblock | Refusal {
  const copies = superblockOffsets.map((offset) =>
    decodeSuperblock(at(meta, offset, layoutConstants.kSuperblockBytes), offset),
  )
  // Whole structures only: one of another version counts too, since a newer Sealog may have upgraded the store.
  const whole = copies
    .map((copy, i) =>
      copy.ok
        ? { i, sequence: copy.value.sequence, superblock: copy.value, version: copy.value.formatVersion }
        : copy.reason === 'version'
          ? { i, sequence: copy.sequence, superblock: undefined, version: copy.version }
          : undefined,
    )
    .filter((copy) => copy !== undefined)
    .sort((a, b) => b.sequence - a.sequence)
  const newest = whole[0]
  if (newest === undefined) return explainNoSuperblock(meta, copies)
  if (newest.superblock === undefined) {
    return refuse(Status.Version, superblockOffsets[0], `its format version is ${newest.version}, not 1`)
  }
  copies.forEach((copy, i) => {
    if (isDamaged(copy)) findings.push(`superblock ${'AB'.charAt(i)} is damaged (${copy.reason})`)
  })
  const [a, b] = superblockOffsets.map((offset) => at(meta, offset, layoutConstants.kSuperblockBytes))
  return {
    ok: true,
    superblock: newest.superblock,
    current: newest.i === 0 ? 0 : 1,
    alike: a !== undefined && b !== undefined && Buffer.compare(a, b) === 0,
    otherIsOlder: (whole[1]?.sequence ?? newest.sequence) < newest.sequence,
  }
}

function explainNoSuperblock(meta: Uint8Array, copies: readonly Decoded<Superblock>[]): Refusal {
  const [a, b] = copies
  const wrong = [a, b].find((copy) => copy && !copy.ok && (copy.reason === 'checksum' || copy.reason === 'field'))
  if (wrong && !wrong.ok) return refuse(Status.Corrupt, wrong.offset, 'neither superblock is valid')
  const slotThere = slotOffsets.some((offset) => magicAt(meta, offset + 4) === layoutConstants.kSlotMagic)
  if (slotThere) return refuse(Status.Corrupt, 0, 'both superblocks are gone')
  const detail =
    meta.length < layoutConstants.kSuperblockBytes ? `it has only ${meta.length} bytes` : 'it does not begin like one'
  return refuse(Status.NotAStore, 0, detail)
}

function magicAt(meta: Uint8Array, offset: number): number | undefined {
  return offset + 4 <= meta.length
    ? Buffer.from(meta.buffer, meta.byteOffset, meta.length).readUInt32LE(offset)
    : undefined
}

function checkSuperblock(superblock: Superblock, fileBytes: number, readOnly: boolean): Refusal | undefined {
  if ((superblock.featuresIncompat & ~featuresIncompatKnown) !== 0n) {
    return refuse(Status.Version, superblockOffsets[0], 'it uses features that this version does not know')
  }
  if ((superblock.featuresReadOnly & ~featuresReadOnlyKnown) !== 0n && !readOnly) {
    return refuse(Status.Version, superblockOffsets[0], 'this version can only read it: open it with readOnly')
  }
  if (fileBytes < superblock.regionBytes) {
    return refuse(Status.Truncated, fileBytes, `it has ${fileBytes} bytes of ${superblock.regionBytes}`)
  }
  return undefined
}

function chooseSlots(meta: Uint8Array, superblock: Superblock, seed: number, findings: string[]): CheckpointSlot[] {
  const slots: CheckpointSlot[] = []
  for (const i of [0, 1] as const) {
    const decoded = decodeCheckpointSlot(at(meta, slotOffsets[i], layoutConstants.kCheckpointSlotBytes), i, seed)
    if (decoded.ok && slotFits(decoded.value, superblock)) slots.push(decoded.value)
    else if (decoded.ok) findings.push(`checkpoint slot ${i} refers to what is outside the store`)
    else if (isDamaged(decoded)) findings.push(`checkpoint slot ${i} is damaged (${decoded.reason})`)
  }
  return slots.sort((a, b) => b.sequence - a.sequence)
}

function slotFits(slot: CheckpointSlot, superblock: Superblock): boolean {
  const segmentBytes = 2 ** superblock.segmentBytesLog2
  const cursorFits = (position: LogPosition | undefined): boolean =>
    position === undefined ||
    (position.segment >= superblock.metaSegments &&
      position.segment < slot.segmentCount &&
      position.offset <= segmentBytes - layoutConstants.kLineBytes)
  return (
    slot.segmentCount > superblock.metaSegments &&
    slot.segmentCount <= superblock.segmentCount &&
    cursorFits(slot.hot) &&
    cursorFits(slot.cold) &&
    slot.roots.every((root) => root.index * layoutConstants.kLeafBytes < superblock.regionBytes) &&
    slot.liveBytes <= superblock.regionBytes
  )
}

/** The valid seal record with the greatest sequence. */
export function chooseSeal(meta: Uint8Array, seed: number): SealRecord | undefined {
  let newest: SealRecord | undefined
  for (const i of [0, 1] as const) {
    const decoded = decodeSealRecord(at(meta, sealOffsets[i], layoutConstants.kSealRecordBytes), i, seed)
    if (decoded.ok && (newest === undefined || decoded.value.sequence > newest.sequence)) newest = decoded.value
  }
  return newest
}

function isDamaged<T>(decoded: Decoded<T>): decoded is Exclude<Decoded<T>, { ok: true }> {
  return !decoded.ok && decoded.reason !== 'blank'
}

export function refuse(status: Status, offset: number, detail: string): Refusal {
  return { ok: false, status, offset, detail }
}

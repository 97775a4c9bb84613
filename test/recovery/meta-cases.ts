/** META images of real and made-up stores, changed by seed: damage, and what is valid but hostile. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { epochMax, layoutConstants as constants, metaSegments } from '../../src/layout/constants.ts'
import { crc32c, storeSeed } from '../../src/layout/crc32c.ts'
import { tableTerm } from '../../src/layout/segment-table.ts'
import { superblockCrc } from '../../src/layout/superblock.ts'
import { encodeMeta, freeHalf, testHalves, testSlot, testSuperblock } from '../support/meta-bytes.ts'
import { slotAt, superblockAt, tableAt } from '../support/meta-damage.ts'

export interface MetaCase {
  /** META up to the end of the segment table, or less. */
  readonly image: Buffer
  readonly fileBytes: number
  readonly readOnly: boolean
  readonly checkpointBytes: number
}

/** 32 bits at each call, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

/** The golden stores, as files. */
export function goldenFiles(): Buffer[] {
  const fixtures = new URL('../fixtures/v1/', import.meta.url)
  return readdirSync(fixtures)
    .filter((name) => name.endsWith('.sealog.gz'))
    .map((name) => gunzipSync(readFileSync(fileURLToPath(new URL(name, fixtures)))))
}

/** META of a store file. */
export function metaOf(file: Buffer): Buffer {
  return file.subarray(0, tableAt + file.readUInt32LE(84) * constants.kSegmentEntryBytes)
}

/** META of the golden stores, and of stores that 0.1 does not write: a cleaner's cursor, a table that grew, an older checkpoint. */
export function metaBases(): Buffer[] {
  const older = { ...testSlot, sequence: 3, epoch: 8, lsn: 900, hot: undefined }
  const cold = { segment: 5, offset: 128, logSequence: 4, seed: 77 }
  const cleaned = testHalves()
  cleaned[5] = [freeHalf, { type: 2, flags: 0, epoch: 9, sequence: 4, live: 0, check: 77 }]
  const twice = { superblocks: [testSuperblock, testSuperblock] }
  return [
    ...goldenFiles().map(metaOf),
    encodeMeta(),
    encodeMeta({ ...twice, slots: [testSlot, older] }),
    encodeMeta({ ...twice, slots: [{ ...testSlot, cold }, older], halves: cleaned }),
    encodeMeta({ slots: [{ ...testSlot, segmentCount: 12, tableCheck: tableCheckOf(encodeMeta(), 9, 12) }] }),
  ]
}

/** Case `n` of a seed, by itself. */
export function metaCase(bases: readonly Buffer[], seed: number, n: number): MetaCase {
  const random = randomOf(Math.imul(seed, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca6b))
  const below = (limit: number): number => random() % limit
  const base = bases[below(bases.length)]!
  const meta = new Mutable(Buffer.from(base), below)
  for (let left = below(8) === 0 ? 0 : 1 + below(4); left > 0; left--) meta.change()
  if (below(2) === 0) meta.mendTableChecks()
  const regionBytes = meta.regionBytes
  const kind = below(24)
  return {
    image: kind === 0 ? meta.bytes.subarray(0, below(meta.bytes.length + 1)) : meta.bytes,
    fileBytes: kind === 1 ? below(regionBytes * 2) : kind === 2 ? regionBytes + 16384 : regionBytes,
    readOnly: below(8) === 0,
    checkpointBytes: below(4) === 0 ? 2 ** 40 + 1 : 1 + below(2 ** 30),
  }
}

/** XOR of the terms of the halves that are current at `epoch`. */
function tableCheckOf(bytes: Buffer, epoch: number, segments: number): number {
  const seed = storeSeed(bytes.subarray(40, 56))
  let check = 0
  for (let i = 0; i < segments; i++) {
    const current = [0, 32]
      .map((half) => tableAt + i * 64 + half)
      .filter((at) => at + 32 <= bytes.length && halfCrc(bytes, at, i, seed) === bytes.readUInt32LE(at))
      .map((at) => ({ epoch: Number(bytes.readBigUInt64LE(at + 8)), crc: bytes.readUInt32LE(at) }))
      .filter((half) => half.epoch <= epoch && half.epoch > 0)
      .reduce<{ epoch: number; crc: number } | undefined>((a, b) => (a && a.epoch >= b.epoch ? a : b), undefined)
    check ^= tableTerm(current?.crc ?? 0)
  }
  return check >>> 0
}

function halfCrc(bytes: Buffer, at: number, segment: number, seed: number): number {
  return crc32c((seed ^ segment) >>> 0, bytes, at + 4, at + constants.kSegmentHalfBytes)
}

/** Where fields are in each structure, by their width. What is reserved is among them. */
const superblockFields = { 1: [96, 97, 98], 4: [8, 80, 84, 88, 92], 8: [16, 24, 32, 40, 56, 64, 72, 200] }
const slotFields = {
  1: [],
  4: [32, 36, 48, 52, 56, 60, 72, 184, 188, 200, 204],
  8: [8, 16, 24, 40, 64, 80, 88, 96, 104, 112, 176, 192, 208, 216],
}
const halfFields = { 1: [4, 5, 6], 4: [24, 28], 8: [8, 16] }

const limits = [
  0n,
  1n,
  5n,
  64n,
  128n,
  2n ** 16n - 64n,
  2n ** 16n,
  2n ** 21n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 40n - 2n ** 32n,
]
const limits64 = [2n ** 40n - 1n, 2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]

/** An image with the ways to change it. */
class Mutable {
  readonly bytes: Buffer
  readonly #below: (limit: number) => number
  readonly #segments: number
  readonly #segmentBytes: number
  readonly #tableCapacity: number
  readonly #seed: number
  readonly #used: readonly number[]
  regionBytes: number

  constructor(bytes: Buffer, below: (limit: number) => number) {
    this.bytes = bytes
    this.#below = below
    this.#segments = bytes.readUInt32LE(84)
    this.#segmentBytes = 2 ** bytes.readUInt32LE(80)
    this.#tableCapacity = bytes.readUInt32LE(92)
    this.#seed = storeSeed(bytes.subarray(40, 56))
    this.#used = Array.from({ length: this.#segments }, (_, i) => i).filter((i) => {
      const at = tableAt + i * 64
      return bytes[at + 4]! + bytes[at + 36]! > 0
    })
    this.regionBytes = Number(bytes.readBigUInt64LE(72))
  }

  change(): void {
    const { bytes } = this
    const below = this.#below
    switch (below(16)) {
      case 0: {
        const at = this.#anywhere()
        bytes[at]! ^= 1 << below(8)
        return
      }
      case 1: {
        const at = this.#anywhere()
        const end = Math.min(bytes.length, at + 1 + below(300))
        for (let i = at; i < end; i++) bytes[i] = below(3) === 0 ? 0 : below(256)
        return
      }
      case 2: {
        const [at, length] = this.#structure()
        bytes.fill(0, at, at + length)
        return
      }
      case 3:
        this.#exchange(slotAt[0], slotAt[1], 256)
        return
      case 4:
        this.#exchange(superblockAt[0], superblockAt[1], 4096)
        return
      case 5: {
        // A slot in the other place too, a checkpoint further or back.
        const from = below(2)
        const to = slotAt[1 - from]!
        bytes.copy(bytes, to, slotAt[from], slotAt[from]! + 256)
        this.#add(to + 8, below(2) === 0 ? 1n : -1n)
        if (below(2) === 0) this.#add(to + 16, BigInt(below(5) - 2))
        this.#seal(to)
        return
      }
      case 6:
        bytes.copy(bytes, superblockAt[1], superblockAt[0], superblockAt[0] + 4096)
        this.#add(superblockAt[1] + 56, BigInt(below(3) - 1))
        this.#seal(superblockAt[1])
        return
      case 7: {
        const at = this.#entry()
        this.#exchange(at, at + 32, 32)
        return
      }
      case 8: {
        const at = this.#entry()
        const half = below(2) * 32
        bytes.copy(bytes, at + 32 - half, at + half, at + half + 32)
        if (below(2) === 0) this.#add(at + 32 - half + 8, BigInt(below(5) - 2))
        this.#seal(at + 32 - half)
        return
      }
      case 9:
        this.#exchange(this.#entry(), this.#entry(), 64)
        return
      case 10: {
        // An epoch around a checkpoint's.
        const at = this.#entry() + below(2) * 32
        const epoch = bytes.readBigUInt64LE(slotAt[below(2)]! + 16)
        bytes.writeBigUInt64LE(BigInt.asUintN(64, epoch + BigInt(below(5) - 2)), at + 8)
        this.#seal(at)
        return
      }
      case 11: {
        // An epoch around the greatest.
        const inSlot = below(2) === 0
        const at = inSlot ? slotAt[below(2)]! : this.#entry() + below(2) * 32
        const greatest = BigInt(epochMax) - (below(2) === 0 ? 2n ** 32n : 0n)
        bytes.writeBigUInt64LE(greatest + BigInt(below(3) - 1), at + (inSlot ? 16 : 8))
        this.#seal(at)
        return
      }
      case 12: {
        // In use as much as there is room for, or more.
        const at = this.#entry() + below(2) * 32
        const unit = [1, constants.kLeafBytes, constants.kInnerBytes][below(3)]!
        bytes.writeUInt32LE(this.#segmentBytes / unit + below(3) - 1, at + 24)
        this.#seal(at)
        return
      }
      case 13:
        this.#grow()
        return
      default:
        this.#setField()
    }
  }

  /** Gives every slot the table check that its segments have now. */
  mendTableChecks(): void {
    for (const at of slotAt) {
      const epoch = Number(this.bytes.readBigUInt64LE(at + 16))
      const segments = Math.min(this.bytes.readUInt32LE(at + 188), this.#segments)
      if (this.bytes.readUInt32LE(at + 4) !== constants.kSlotMagic || !this.#holds(at)) continue
      this.bytes.writeUInt32LE(tableCheckOf(this.bytes, epoch, segments), at + 184)
      this.#seal(at)
    }
  }

  /** Another size, that agrees with itself: the table is shorter than it says, or longer than the checkpoint knows. */
  #grow(): void {
    const { bytes } = this
    const segments = Math.max(1, this.#segments + this.#below(9) - 4)
    const capacity = this.#tableCapacity * (this.#below(2) === 0 ? 1 : 1 + this.#below(4))
    this.regionBytes = segments * this.#segmentBytes
    for (const at of superblockAt) {
      bytes.writeBigUInt64LE(BigInt(this.regionBytes), at + 72)
      bytes.writeUInt32LE(segments, at + 84)
      bytes.writeUInt32LE(capacity, at + 92)
      if (this.#below(4) !== 0) bytes.writeUInt32LE(metaSegments(this.#segmentBytes, capacity), at + 88)
      this.#seal(at)
    }
  }

  #setField(): void {
    const [at, length] = this.#structure()
    const fields = length === 4096 ? superblockFields : length === 256 ? slotFields : halfFields
    const width = ([1, 4, 8] as const)[this.#below(3)]!
    const places = fields[width]
    if (places.length === 0) return
    const place = at + places[this.#below(places.length)]!
    const value = this.#value(width)
    if (width === 8) this.#write64(place, value)
    else this.bytes.writeUIntLE(Number(BigInt.asUintN(width * 8, value ?? this.#near(place, width))), place, width)
    this.#seal(at)
  }

  /** undefined: something near what is there. */
  #value(width: number): bigint | undefined {
    const below = this.#below
    if (below(2) === 0) return undefined
    const all = width === 8 ? [...limits, ...limits64] : limits
    return below(4) === 0 ? BigInt(below(2 ** 31)) * BigInt(below(2 ** 31)) : all[below(all.length)]
  }

  #near(place: number, width: number): bigint {
    return BigInt(this.bytes.readUIntLE(place, width) + [-2, -1, 1, 2][this.#below(4)]!)
  }

  #write64(place: number, value: bigint | undefined): void {
    if (value === undefined) this.#add(place, BigInt([-2, -1, 1, 2][this.#below(4)]!))
    else this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), place)
  }

  #add(place: number, difference: bigint): void {
    this.bytes.writeBigUInt64LE(BigInt.asUintN(64, this.bytes.readBigUInt64LE(place) + difference), place)
  }

  #exchange(a: number, b: number, length: number): void {
    const kept = Buffer.from(this.bytes.subarray(a, a + length))
    this.bytes.copy(this.bytes, a, b, b + length)
    kept.copy(this.bytes, b)
  }

  /** Start and length of a superblock, a slot or a table half. */
  #structure(): readonly [number, number] {
    const below = this.#below
    const kind = below(8)
    if (kind < 2) return [superblockAt[kind]!, 4096]
    if (kind < 5) return [slotAt[below(2)]!, 256]
    return [this.#entry() + below(2) * 32, 32]
  }

  /** A segment's table entry, more often one that is in use. */
  #entry(): number {
    const any = tableAt + this.#below(this.#segments) * 64
    if (this.#below(2) === 0) return any
    const used = this.#used[this.#below(this.#used.length)]
    return used === undefined ? any : tableAt + used * 64
  }

  #anywhere(): number {
    const [at, length] = this.#structure()
    return at + this.#below(length === 4096 ? 136 : length)
  }

  /** The right checksum for the structure at `at`. */
  #crc(at: number): number {
    if (at < slotAt[0]) return superblockCrc(this.bytes.subarray(at, at + 4096))
    if (at < tableAt) return crc32c(this.#seed, this.bytes, at + 4, at + 256)
    return halfCrc(this.bytes, at, Math.floor((at - tableAt) / 64), this.#seed)
  }

  #holds(at: number): boolean {
    return this.bytes.readUInt32LE(at) === this.#crc(at)
  }

  #seal(at: number): void {
    this.bytes.writeUInt32LE(this.#crc(at), at < slotAt[0] ? at + 12 : at)
  }
}

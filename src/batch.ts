import { keyRoomBytes, type Key } from './codec/keys.ts'
import { BatchOp } from './engine/engine.ts'
import type { Keyspace } from './keyspace.ts'
import { layoutConstants } from './layout/constants.ts'
import type { Bounds } from './range.ts'
import type { Tally, Told } from './telling.ts'
import type { PutOptions, RemoveOptions } from './write-options.ts'

/** One change of a batch. A condition that does not hold keeps the whole batch from being made. */
export type BatchOperation<V = unknown, K = Key> =
  | ({ readonly type: 'put'; readonly key: K; readonly value: V } & PutOptions)
  | ({ readonly type: 'del'; readonly key: K } & RemoveOptions)

const headBytes = 8
const timeBytes = 8
const rangeHeadBytes = 17
/** A larger buffer is not kept for the next batch. */
const spareBytesMax = 4 * 2 ** 20

let spare: Buffer | undefined

/**
 * Changes, and what they rely on, packed one behind the other as native takes them: {u8 op, u8 tree, u16 key bytes, u32 value
 * bytes}, key, value. Conditions are about the state before the batch.
 */
export class PackedBatch {
  buffer: Buffer
  bytes = 0
  /** Changes and conditions. */
  count = 0
  /** For whoever listens, once it was run: runToldBatch. */
  told: Told | undefined

  constructor() {
    // Taken for as long as it is being filled: the caller's iterable, getters and encoders may start another batch meanwhile.
    this.buffer = spare ?? Buffer.allocUnsafeSlow(4096)
    spare = undefined
  }

  /** Its changes: keys as they were given, and values. */
  tally(): Tally {
    const tally = { operations: 0, bytes: 0 }
    for (let at = 0; at < this.bytes;) {
      const op = this.buffer[at]
      const keyBytes = this.buffer.readUInt16LE(at + 2)
      const valueBytes = this.buffer.readUInt32LE(at + 4)
      if (op !== BatchOp.Check && op !== BatchOp.CheckRange) {
        const head = this.buffer[at + 1] === layoutConstants.kTreeSpaces ? layoutConstants.kSpaceIdBytes : 0
        tally.operations++
        tally.bytes += keyBytes - head + valueBytes - (op === BatchOp.PutExpiring ? timeBytes : 0)
      }
      at += headBytes + keyBytes + valueBytes
    }
    return tally
  }

  /** The memory may be used by the next batch. */
  release(): void {
    if (this.buffer.length <= spareBytesMax) spare = this.buffer
  }

  /** @param expires Unix milliseconds @throws TypeError, SealogError ERR_SEALOG_KEY_TOO_LARGE; the batch is then of no use */
  put<V>(keyspace: Keyspace<V>, key: unknown, value: V, expires: number | undefined): void {
    const keyEnd = this.#putKey(keyspace, key)
    const valueAt = keyEnd + (expires === undefined ? 0 : timeBytes)
    this.#grow(valueAt)
    if (expires !== undefined) this.buffer.writeBigUInt64LE(BigInt(expires), keyEnd)
    const encoded = keyspace.values.encodeInto(this.buffer, valueAt, value)
    let end: number
    if (typeof encoded === 'number') {
      end = encoded
    } else {
      end = valueAt + encoded.length
      this.#grow(end)
      this.buffer.set(encoded, valueAt)
    }
    this.#add(expires === undefined ? BatchOp.Put : BatchOp.PutExpiring, keyspace.tree, keyEnd, end)
  }

  del(keyspace: Keyspace, key: unknown): void {
    const end = this.#putKey(keyspace, key)
    this.#add(BatchOp.Del, keyspace.tree, end, end)
  }

  /** The entry has this version; 0: there is none. */
  check(keyspace: Keyspace, key: unknown, version: number): void {
    this.#checkAt(keyspace.tree, this.#putKey(keyspace, key), version)
  }

  /** The same four with bytes: of whole keys, and of values. */
  putBytes(tree: number, key: Uint8Array, value: Uint8Array, expires?: number): void {
    const keyEnd = this.#setKey(key)
    const valueAt = keyEnd + (expires === undefined ? 0 : timeBytes)
    this.#grow(valueAt + value.length)
    if (expires !== undefined) this.buffer.writeBigUInt64LE(BigInt(expires), keyEnd)
    this.buffer.set(value, valueAt)
    this.#add(expires === undefined ? BatchOp.Put : BatchOp.PutExpiring, tree, keyEnd, valueAt + value.length)
  }

  delBytes(tree: number, key: Uint8Array): void {
    const end = this.#setKey(key)
    this.#add(BatchOp.Del, tree, end, end)
  }

  checkBytes(tree: number, key: Uint8Array, version: number): void {
    this.#checkAt(tree, this.#setKey(key), version)
  }

  /** The range has so many entries, none of them written after `version`. */
  checkRange(tree: number, { low, high, flags }: Bounds, version: number, count: number): void {
    const keyEnd = this.#setKey(low)
    const end = keyEnd + rangeHeadBytes + high.length
    this.#grow(end)
    this.buffer.writeBigUInt64LE(BigInt(version), keyEnd)
    this.buffer.writeBigUInt64LE(BigInt(count), keyEnd + 8)
    this.buffer[keyEnd + 16] = flags
    this.buffer.set(high, keyEnd + rangeHeadBytes)
    this.#add(BatchOp.CheckRange, tree, keyEnd, end)
  }

  #putKey(keyspace: Keyspace, key: unknown): number {
    const at = this.bytes + headBytes
    this.#grow(at + layoutConstants.kSpaceIdBytes + keyRoomBytes)
    return keyspace.putWhole(key, this.buffer, at)
  }

  #setKey(key: Uint8Array): number {
    const at = this.bytes + headBytes
    this.#grow(at + key.length)
    this.buffer.set(key, at)
    return at + key.length
  }

  #checkAt(tree: number, keyEnd: number, version: number): void {
    this.#grow(keyEnd + 8)
    this.buffer.writeBigUInt64LE(BigInt(version), keyEnd)
    this.#add(BatchOp.Check, tree, keyEnd, keyEnd + 8)
  }

  /** Writes the head of what has been put behind it. */
  #add(op: number, tree: number, keyEnd: number, end: number): void {
    const at = this.bytes
    const { buffer } = this
    const keyBytes = keyEnd - at - headBytes
    const valueBytes = end - keyEnd
    // Byte by byte: Buffer's methods for numbers take longer, and this is done for each change.
    buffer[at] = op
    buffer[at + 1] = tree
    buffer[at + 2] = keyBytes
    buffer[at + 3] = keyBytes >> 8
    buffer[at + 4] = valueBytes
    buffer[at + 5] = valueBytes >> 8
    buffer[at + 6] = valueBytes >> 16
    buffer[at + 7] = valueBytes >> 24
    this.bytes = end
    this.count++
  }

  #grow(needed: number): void {
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, needed))
    this.buffer.copy(grown, 0, 0, this.buffer.length)
    this.buffer = grown
  }
}

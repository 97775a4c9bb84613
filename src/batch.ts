import { keyRoomBytes, type Key, type KeyCodec } from './codec/keys.ts'
import type { ValueCodec } from './codec/values.ts'
import { BatchOp } from './engine/engine.ts'
import { layoutConstants } from './layout/constants.ts'

/** One change of a batch. */
export type BatchOperation<V = unknown, K = Key> =
  { readonly type: 'put'; readonly key: K; readonly value: V } | { readonly type: 'del'; readonly key: K }

const headBytes = 8

function putHead(buffer: Buffer, at: number, op: number, tree: number, keyBytes: number, valueBytes: number): void {
  buffer[at] = op
  buffer[at + 1] = tree
  buffer.writeUInt16LE(keyBytes, at + 2)
  buffer.writeUInt32LE(valueBytes, at + 4)
}

/** A batch of one put, of bytes that are encoded already. */
export function packPut(tree: number, key: Uint8Array, value: Uint8Array): Buffer {
  const packed = Buffer.allocUnsafeSlow(headBytes + key.length + value.length)
  putHead(packed, 0, BatchOp.Put, tree, key.length, value.length)
  packed.set(key, headBytes)
  packed.set(value, headBytes + key.length)
  return packed
}

/** Changes packed one behind the other, as native takes them: {u8 op, u8 tree, u16 key bytes, u32 value bytes, key, value}. */
export class PackedBatch {
  buffer: Buffer
  bytes = 0
  count = 0

  /** @param spare memory that nobody else uses until this batch is done with */
  constructor(spare: Buffer | undefined) {
    this.buffer = spare ?? Buffer.allocUnsafeSlow(4096)
  }

  /** @throws TypeError, SealogError ERR_SEALOG_KEY_TOO_LARGE; the batch is then of no use */
  append<V>(keys: KeyCodec, values: ValueCodec<V>, operation: BatchOperation<V, unknown>): void {
    // Callers without types pass anything.
    const given: unknown = operation
    if (typeof given !== 'object' || given === null) throw new TypeError('A batch operation must be an object')
    const type: string = operation.type
    if (type !== 'put' && type !== 'del') throw new TypeError("A batch operation's type must be 'put' or 'del'")
    const at = this.bytes
    this.#grow(at + headBytes + keyRoomBytes)
    const keyAt = at + headBytes
    const keyEnd = keyAt + keys.encodeKey(operation.key, this.buffer, keyAt)
    let end = keyEnd
    if (operation.type === 'put') {
      const encoded = values.encodeInto(this.buffer, keyEnd, operation.value)
      if (typeof encoded === 'number') {
        end = encoded
      } else {
        end = keyEnd + encoded.length
        this.#grow(end)
        this.buffer.set(encoded, keyEnd)
      }
    }
    putHead(
      this.buffer,
      at,
      type === 'put' ? BatchOp.Put : BatchOp.Del,
      layoutConstants.kTreeUser,
      keyEnd - keyAt,
      end - keyEnd,
    )
    this.bytes = end
    this.count++
  }

  #grow(needed: number): void {
    if (needed <= this.buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, needed))
    this.buffer.copy(grown)
    this.buffer = grown
  }
}

import msgpackr, { type Packr } from 'msgpackr/index-no-eval'
import { ValueCodecCode } from '../engine/engine.ts'
import { SealogError } from '../errors.ts'
import { checkStorable } from './storable.ts'
import { decodeStructures, encodeStructures, type StructureStore } from './structures.ts'
import type { ValueCodec } from './values.ts'

const { Packr: PackrClass, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } = msgpackr
/** Record structures shared by all values of a store, and those written into one value. */
const structuresMax = 32
/** msgpackr's buffer is dropped when a value has made it larger than this. */
const bufferBytesKept = 2 ** 20

/**
 * MessagePack by msgpackr, in the build that has no `eval`. The property names of objects are stored once, in the store, for the
 * first 32 shapes that are met (msgpackr's shared structures).
 *
 * msgpackr's working buffer belongs to the module, not to us: other users of it would get views of a slab that was lent to
 * it. So it keeps its own, and the bytes are copied, which costs little and leaves the slab alone until
 * the value is complete: getters and `toJSON` may use the store meanwhile.
 */
export class MsgpackCodec implements ValueCodec {
  readonly name = 'msgpack'
  readonly code = ValueCodecCode.msgpack
  readonly #packr: Packr
  readonly #range = { start: 0, end: 0 }
  /** What is being decoded, and its copy once structures had to be loaded for it. */
  #source: Buffer | undefined
  #copy: Buffer | undefined

  constructor(structures: StructureStore) {
    this.#packr = new PackrClass({
      useRecords: true,
      maxSharedStructures: structuresMax,
      maxOwnStructures: structuresMax,
      copyBuffers: true,
      useBigIntExtension: true,
      getStructures: () => {
        if (this.#source) this.#copy = Buffer.from(this.#source.subarray(this.#range.start, this.#range.end))
        return decodeStructures(structures.load(), structuresMax)
      },
      saveStructures: (added, isCompatible) => {
        if (!isCompatible(decodeStructures(structures.load(), structuresMax))) return false
        return structures.save(encodeStructures(added))
      },
    })
  }

  encodeInto(slab: Buffer, at: number, value: unknown): number | Uint8Array {
    if (value === undefined) throw new TypeError('A value cannot be undefined; use remove to delete a key')
    checkStorable(value)
    const packed = this.#packr.pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE)
    // A view of the bytes where structures were saved, which have no `start`.
    const start = packed.start ?? 0
    const end = packed.start === undefined ? packed.length : packed.end
    const fits = end - start <= slab.length - at
    if (fits) packed.copy(slab, at, start, end)
    if (packed.length > bufferBytesKept) this.#packr.useBuffer(Buffer.allocUnsafeSlow(8192))
    return fits ? at + end - start : packed.subarray(start, end)
  }

  decode(buffer: Buffer, start: number, end: number): unknown {
    const value = this.#unpack(buffer, start, end)
    if (this.#copy === undefined) return value
    // Loading structures may have used the slab, and msgpackr went on with a copy that makes byte arrays of another class:
    // once more, then, now that the structures are there.
    const copy = this.#copy
    this.#copy = undefined
    const again = this.#unpack(copy, 0, copy.length)
    this.#copy = undefined
    return again
  }

  #unpack(buffer: Buffer, start: number, end: number): unknown {
    // An empty range would mean the whole buffer to msgpackr; no value is empty.
    if (end <= start) throw undecodable(undefined)
    this.#range.start = start
    this.#range.end = end
    this.#source = buffer
    try {
      return this.#packr.unpack(buffer, this.#range)
    } catch (cause) {
      this.#copy = undefined
      throw cause instanceof SealogError ? cause : undecodable(cause)
    } finally {
      this.#source = undefined
    }
  }
}

function undecodable(cause: unknown): SealogError {
  const message =
    "A value cannot be decoded as 'msgpack'; open the store with the encoding that wrote it, or read it with getBinary"
  return new SealogError('ERR_SEALOG_CORRUPT', message, { cause })
}

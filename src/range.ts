import type { Key } from './codec/keys.ts'
import { Meta, viewOf } from './engine/buffers.ts'
import { RangeFlag, Space } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import type { Keyspace } from './keyspace.ts'
import { layoutConstants } from './layout/constants.ts'
import { warnOfLeak } from './leak.ts'
import { keyAreaBytes, type NativeSession } from './native-session.ts'
import { Rows } from './rows.ts'

/** Which keys, in which order, how many. Without bounds: all. */
export interface RangeOptions<K = Key> {
  readonly gt?: K
  readonly gte?: K
  readonly lt?: K
  readonly lte?: K
  /** Strings and byte arrays: keys that begin with it. Arrays: keys that begin with its elements. */
  readonly prefix?: K
  /** From the last key to the first. */
  readonly reverse?: boolean
  /** At most so many entries. */
  readonly limit?: number
  /** Behind the first so many entries: by the index's counts, without reading them, as long as nothing in the store is to expire. */
  readonly offset?: number
  /** Once it is aborted, the next step of an iterator throws its reason. */
  readonly signal?: AbortSignal
}

const rangeOptionNames: readonly string[] = ['gt', 'gte', 'lt', 'lte', 'prefix', 'reverse', 'limit', 'offset', 'signal']

/** Encoded bounds, and the flags that say how to take them. */
export interface Bounds {
  readonly low: Uint8Array
  readonly high: Uint8Array
  readonly flags: number
}

const empty = new Uint8Array(0)

/**
 * Checks range options and encodes their bounds.
 * @throws TypeError, RangeError, SealogError ERR_SEALOG_KEY_TOO_LARGE
 */
export function encodeBounds(keyspace: Keyspace, options: RangeOptions<unknown>): Bounds {
  keyspace.follow()
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new TypeError('Range options must be an object')
  for (const name of Object.keys(options)) {
    if (!rangeOptionNames.includes(name)) throw new TypeError(`Unknown range option '${name}'`)
  }
  if (options.gt !== undefined && options.gte !== undefined)
    throw new TypeError("Range options 'gt' and 'gte' conflict")
  if (options.lt !== undefined && options.lte !== undefined)
    throw new TypeError("Range options 'lt' and 'lte' conflict")
  if (options.reverse !== undefined && typeof options.reverse !== 'boolean') {
    throw new TypeError("Range option 'reverse' must be a boolean")
  }
  if (options.signal !== undefined && !((options.signal as unknown) instanceof AbortSignal)) {
    throw new TypeError("Range option 'signal' must be an AbortSignal")
  }
  const { session, keys } = keyspace
  const encode = (key: unknown): Uint8Array =>
    Uint8Array.prototype.slice.call(session.write, 0, keys.encodeKey(key, session.write, 0))

  let low: Uint8Array = empty
  let high: Uint8Array = empty
  let flags = options.reverse === true ? RangeFlag.Reverse : 0
  if (options.gt !== undefined) {
    low = encode(options.gt)
    flags |= RangeFlag.LowExclusive
  } else if (options.gte !== undefined) {
    low = encode(options.gte)
  }
  if (options.lt !== undefined) {
    high = encode(options.lt)
    flags |= RangeFlag.HasHigh
  } else if (options.lte !== undefined) {
    high = encode(options.lte)
    flags |= RangeFlag.HasHigh | RangeFlag.HighInclusive
  }
  if (options.prefix !== undefined) {
    const { lowBytes, highBytes } = keys.encodePrefix(options.prefix, session.write, 0)
    const prefixLow = Uint8Array.prototype.slice.call(session.write, 0, lowBytes)
    const prefixHigh = Uint8Array.prototype.slice.call(session.write, lowBytes, lowBytes + (highBytes ?? 0))
    // The narrower of the two on each side.
    if (Buffer.compare(prefixLow, low) > 0) {
      low = prefixLow
      flags &= ~RangeFlag.LowExclusive
    }
    if (highBytes !== undefined && (!(flags & RangeFlag.HasHigh) || Buffer.compare(prefixHigh, high) <= 0)) {
      high = prefixHigh
      flags = (flags | RangeFlag.HasHigh) & ~RangeFlag.HighInclusive
    }
  }
  const bounds = withHead(keyspace.head, { low, high, flags })
  if (Math.max(bounds.low.length, bounds.high.length) > layoutConstants.kKeyBytesMax)
    throw errorFromStatus(Status.KeyTooLarge, null, { path: session.path })
  return bounds
}

/** Bounds among the keys of a namespace as bounds among those of all. */
function withHead(head: Uint8Array, { low, high, flags }: Bounds): Bounds {
  if (head.length === 0) return { low, high, flags }
  if (flags & RangeFlag.HasHigh) return { low: Buffer.concat([head, low]), high: Buffer.concat([head, high]), flags }
  const next = Buffer.from(head)
  next.writeUInt32BE(next.readUInt32BE() + 1)
  return { low: Buffer.concat([head, low]), high: next, flags: flags | RangeFlag.HasHigh }
}

/** The same bounds for a namespace that was cleared since: its keys are behind another id now. */
function withNewHead(head: Uint8Array, { low, high, flags }: Bounds): Bounds {
  const after = (bound: Uint8Array): Uint8Array => bound.subarray(head.length)
  // No key is empty: only the end of the namespace is a head and nothing else.
  const openEnd = after(high).length === 0
  return withHead(head, { low: after(low), high: after(high), flags: openEnd ? flags & ~RangeFlag.HasHigh : flags })
}

/** @throws RangeError for what is no count */
export function checkLimit(limit: unknown): number {
  if (limit === undefined || limit === Infinity) return Infinity
  return checkCount('limit', limit)
}

/** @throws RangeError for what is no count */
export function checkOffset(offset: unknown): number {
  return offset === undefined ? 0 : checkCount('offset', offset)
}

function checkCount(name: string, value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`Range option '${name}' must be a number`)
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`Range option '${name}' must be a count`)
  return value
}

/** Puts bounds where native looks for them. */
export function placeBounds(session: NativeSession, low: Uint8Array, high: Uint8Array): void {
  if (low.length + high.length > keyAreaBytes) throw errorFromStatus(Status.KeyTooLarge, null, { path: session.path })
  session.write.set(low, 0)
  session.write.set(high, low.length)
}

/** How many entries are between the bounds, by the index's counts. @throws SealogError */
export function countBetween(keyspace: Keyspace, { low, high, flags }: Bounds, snapshot: number): number {
  const { session, codeHere: code } = keyspace
  placeBounds(session, low, high)
  const answer = session.engine.count(session.handle, low.length, high.length, flags, code, snapshot)
  if (answer < 0) throw session.failure(answer)
  return answer
}

const blockBytes = 64 * 1024
const blockEntriesMax = 512
const entryHeadBytes = 16
/** As Buffer.poolSize: what a kept value of a few bytes may hold on to. */
const slabBytes = 8192
/** Blocks of finished iterators, for the next ones. */
const spareBlocks: Buffer[] = []

/** What must be given back when an iterator goes, whether it was run to its end, left, or forgotten. */
interface Held {
  readonly session: NativeSession
  snapshot: number
  /** Whose snapshot it is: an iterator's own, or that of the Snapshot it reads from. */
  readonly borrowed: boolean
}

function snapshotReleased(path: string): SealogError {
  return new SealogError('ERR_SEALOG_CLOSED', 'The snapshot that is read was released; take another one', { path })
}

function release(held: Held): void {
  if (held.snapshot !== 0 && !held.borrowed && !held.session.closed)
    held.session.engine.releaseSnapshot(held.session.handle, held.snapshot)
  held.snapshot = 0
}

const forgotten = new FinalizationRegistry<Held>((held) => {
  if (held.snapshot !== 0 && !held.session.closed) warnOfLeak('An iterator was neither run to its end nor closed')
  release(held)
})

/** What is read, from where, and what of it. */
export interface RangeRequest {
  readonly keyspace: Keyspace
  readonly bounds: Bounds
  readonly limit: number
  readonly offset: number
  readonly noValues: boolean
  /** What the entries are taken from may be kept. */
  readonly kept?: boolean
  /** 0: the newest state, kept for as long as the iterator runs. */
  readonly snapshot: number
  readonly signal?: AbortSignal | undefined
}

/** How an entry is turned into what the caller iterates over. */
export type TakeEntry<T> = (
  block: Buffer,
  keyStart: number,
  keyEnd: number,
  valueStart: number,
  valueEnd: number,
  version: number,
) => T

/**
 * Iterates over a consistent snapshot of a range: what is written while it runs does not show. The snapshot holds superseded space, so
 * run an iterator to its end or leave its loop; both release it, as does garbage collection in the end.
 */
export class RangeIterator<T> extends Rows<T> {
  readonly #held: Held
  readonly #take: TakeEntry<T>
  readonly #noValues: boolean
  readonly #kept: boolean
  #bounds: Bounds
  #left: number
  #block: Buffer | undefined
  #view: DataView | undefined
  #at = 0
  #entries = 0
  /** Bytes of the block that are in use; and a copy of some of them, from where to where. */
  #used = 0
  #slab: Buffer | undefined
  #slabAt = 0
  #slabEnd = 0
  #done = false
  #skip: number
  #space: number
  /** Until it has begun: its keys may be moved up to then. */
  #keyspace: Keyspace | undefined
  readonly #signal: AbortSignal | undefined

  constructor(request: RangeRequest, take: TakeEntry<T>) {
    super()
    const { keyspace, snapshot } = request
    this.#held = { session: keyspace.session, snapshot, borrowed: snapshot !== 0 }
    this.#space = keyspace.codeHere
    this.#keyspace = snapshot === 0 ? keyspace : undefined
    this.#bounds = request.bounds
    this.#left = request.limit
    this.#skip = request.offset
    this.#noValues = request.noValues
    this.#kept = request.kept === true
    this.#signal = request.signal
    this.#take = take
    if (snapshot === 0) forgotten.register(this, this.#held, this.#held)
  }

  next(): IteratorResult<T, undefined> {
    if (this.#signal?.aborted) {
      this.return()
      this.#signal.throwIfAborted()
    }
    if (this.#left <= 0) return this.return()
    if (this.#entries === 0 && (this.#done || !this.#fill())) return this.return()
    try {
      return { done: false, value: this.#takeNext() }
    } catch (error) {
      // A loop does not call return() for an iterator that throws.
      this.return()
      throw error
    }
  }

  #takeNext(): T {
    this.#held.session.assertOpen()
    const block = this.#block
    const view = this.#view
    if (block === undefined || view === undefined) throw errorFromStatus(Status.Closed)
    const at = this.#at
    const keyBytes = view.getUint16(at, true)
    const outside = view.getUint16(at + 2, true) === 1
    const valueBytes = view.getUint32(at + 4, true)
    const version = view.getFloat64(at + 8, true)
    const keyStart = at + entryHeadBytes
    const valueStart = keyStart + keyBytes
    const inBlock = outside || this.#noValues ? 0 : valueBytes
    this.#at = (valueStart + inBlock + 7) & ~7
    this.#entries--
    this.#left--
    if (!outside) {
      if (!this.#kept) return this.#take(block, keyStart, valueStart, valueStart, valueStart + inBlock, version)
      const slab = this.#slabOf(block, at, valueStart + inBlock)
      const valueAt = valueStart - this.#slabAt
      return this.#take(slab, keyStart - this.#slabAt, valueAt, valueAt, valueAt + inBlock, version)
    }
    const value = this.#takeLarge(block, keyStart, valueStart, valueBytes, version)
    if (this.#done) release(this.#held)
    return value
  }

  /** A copy of the block that has `[at, end)`, which is an entry, and those behind it: one for many, and small enough to be kept. */
  #slabOf(block: Buffer, at: number, end: number): Buffer {
    let slab = this.#slab
    if (slab === undefined || end > this.#slabEnd) {
      this.#slabAt = at
      this.#slabEnd = Math.max(end, Math.min(at + slabBytes, this.#used))
      slab = this.#slab = Buffer.allocUnsafeSlow(this.#slabEnd - at)
      block.copy(slab, 0, at, this.#slabEnd)
    }
    return slab
  }

  return(): { done: true; value: undefined } {
    this.#done = true
    this.#slab = undefined
    this.#left = 0
    this.#entries = 0
    if (this.#block && spareBlocks.length < 8) spareBlocks.push(this.#block)
    this.#block = this.#view = undefined
    if (this.#held.snapshot !== 0) release(this.#held)
    forgotten.unregister(this.#held)
    return { done: true, value: undefined }
  }

  #begin(keyspace: Keyspace): void {
    this.#keyspace = undefined
    if (keyspace.code === this.#space) return
    this.#space = keyspace.code
    this.#bounds = withNewHead(keyspace.head, this.#bounds)
  }

  /** Reads the next block; false if there is nothing more. */
  #fill(): boolean {
    const { session } = this.#held
    session.assertOpen()
    if (this.#keyspace !== undefined) this.#begin(this.#keyspace)
    if (this.#block === undefined) {
      this.#block = spareBlocks.pop() ?? Buffer.allocUnsafeSlow(blockBytes)
      this.#view = new DataView(this.#block.buffer, this.#block.byteOffset, this.#block.length)
    }
    const { low, high, flags } = this.#bounds
    placeBounds(session, low, high)
    const { engine, handle, meta } = session
    const allFlags = flags | (this.#noValues ? RangeFlag.NoValues : 0)
    const limit = Math.min(this.#left, blockEntriesMax)
    const { snapshot: from } = this.#held
    const skip = this.#skip
    const answer = engine.rangeFill(
      handle,
      from,
      low.length,
      high.length,
      allFlags,
      limit,
      this.#block,
      this.#space,
      skip,
    )
    if (answer < 0) {
      const released = this.#held.borrowed && answer === -Status.Closed && !session.closed
      const error = released ? snapshotReleased(session.path) : session.failure(answer)
      this.return()
      throw error
    }
    this.#skip = 0
    this.#done = meta[Meta.RangeDone] === 1
    this.#entries = answer
    this.#at = 0
    this.#used = meta[Meta.RangeBytes] ?? 0
    this.#slab = undefined
    const snapshot = meta[Meta.RangeSnapshot] ?? 0
    if (!this.#done) {
      this.#held.snapshot = snapshot
      // No more will be asked for: nothing to hold.
      if (answer >= this.#left) {
        this.#done = true
        // But a value that was left out is still to be read from it; only the first of a block can be.
        if (this.#view?.getUint16(2, true) !== 1) release(this.#held)
      } else {
        this.#bounds = this.#boundsBehind(answer)
      }
    }
    return answer > 0
  }

  /** The bounds of what is left behind the last of `count` entries in the block. */
  #boundsBehind(count: number): Bounds {
    const block = this.#block
    const view = this.#view
    if (block === undefined || view === undefined) return this.#bounds
    let at = 0
    for (let i = 1; i < count; i++) {
      const inBlock = view.getUint16(at + 2, true) === 1 || this.#noValues ? 0 : view.getUint32(at + 4, true)
      at = (at + entryHeadBytes + view.getUint16(at, true) + inBlock + 7) & ~7
    }
    const start = at + entryHeadBytes
    const last = Uint8Array.prototype.slice.call(block, start, start + view.getUint16(at, true))
    const { low, high, flags } = this.#bounds
    return flags & RangeFlag.Reverse
      ? { low, high: last, flags: (flags | RangeFlag.HasHigh) & ~RangeFlag.HighInclusive }
      : { low: last, high, flags: flags | RangeFlag.LowExclusive }
  }

  /** A value that was too large for the block is read by itself, from the same state. */
  #takeLarge(block: Buffer, keyStart: number, keyEnd: number, valueBytes: number, version: number): T {
    const { session, snapshot } = this.#held
    const { engine, handle } = session
    const keyBytes = keyEnd - keyStart
    const own = Buffer.allocUnsafeSlow(keyBytes + valueBytes)
    block.copy(own, 0, keyStart, keyEnd)
    // The key without what is before it, which native puts there.
    const headBytes = this.#space === Space.User ? 0 : layoutConstants.kSpaceIdBytes
    own.copy(session.write, 0, headBytes, keyBytes)
    const value = viewOf(own, keyBytes, valueBytes)
    const answer = engine.getInto(handle, keyBytes - headBytes, value, this.#space, snapshot)
    if (answer !== valueBytes) throw session.failure(answer < 0 ? answer : -Status.Corrupt)
    return this.#take(own, 0, keyBytes, keyBytes, keyBytes + valueBytes, version)
  }
}

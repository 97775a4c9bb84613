import type { Domain, FlushMethod } from './engine/engine.ts'
import { layoutConstants, metaSegments, segmentCountMax } from './layout/constants.ts'
import { parseBytes } from './options/bytes.ts'
import { nearest } from './options/nearest.ts'

export type Durability = 'sync' | 'relaxed'
export type KeyEncoding = 'ordered' | 'utf8' | 'binary'
export type NamedEncoding = 'msgpack' | 'json' | 'string' | 'binary'

/** A value encoding of the caller's own. The store keeps only that it was custom: giving the same one again is up to the caller. */
export interface CustomEncoding<V = unknown> {
  readonly name?: string
  /** Bytes of a value; copied before this returns to anyone else. */
  encode(value: V): Uint8Array
  /** The value of these bytes, which belong to the callee. */
  decode(bytes: Uint8Array): V
}

export type ValueEncoding<V = unknown> = NamedEncoding | CustomEncoding<V>

/** How to open a store. All are optional; an unknown one is a TypeError. */
export interface OpenOptions<V = unknown> {
  /** Size of the store file, in bytes or as '256MiB', '1.5GiB', '2TiB'; used when it is created. Default 256 MiB. */
  readonly capacity?: number | string
  /** 'sync' (default): durable when it returns or resolves. 'relaxed': survives the process, not the system. */
  readonly durability?: Durability
  /** Refuse to open (ERR_SEALOG_REQUIRE) where the persistence domain is weaker than this. */
  readonly require?: Domain
  /** Open for reading only, also beside a writer in another process; nothing in the file changes. The store must exist. */
  readonly readOnly?: boolean
  /** How keys are encoded and so ordered. Default: as the store was created, 'ordered' for a new one. */
  readonly keys?: KeyEncoding
  /** How values are encoded. Default: as the store was created, 'msgpack' for a new one. */
  readonly encoding?: ValueEncoding<V>
  /** Log bytes after which a checkpoint is taken. It bounds the time that reopening takes after a crash. Default 512 KiB. */
  readonly checkpointBytes?: number | string
  /** Advanced: bytes of a segment, a power of two from 16 KiB to 2 MiB (the default); used when the store is created. Small ones are for tests: they
   * also bound values, to 2 MiB with 32 KiB, 12 MiB with 64 KiB. */
  readonly segmentBytes?: number | string
  /**
   * `immutable`: until the store is closed the kernel refuses every change of the file but by the store itself (ext4 with DAX only;
   * needs CAP_LINUX_IMMUTABLE). Default false: changes are found at the next open.
   */
  readonly seal?: { readonly immutable?: boolean }
  /**
   * Grow when the store gets full, by `step` at a time, until it has `max` in all. It begins in the background before it is full; a write
   * that finds it full all the same waits until it has grown. Default: it does not grow by itself.
   */
  readonly autoGrow?: { readonly step: number | string; readonly max: number | string }
  /** Create the store where there is none. Default true. */
  readonly createIfMissing?: boolean
  /** Refuse (ERR_SEALOG_EXISTS) where there is something already. Default false. */
  readonly errorIfExists?: boolean
  /**
   * Milliseconds to wait for another process that has the store open, where it is in the way, before ERR_SEALOG_LOCKED. `open` blocks its thread
   * for that time, `openAsync` does not. Default 0.
   */
  readonly waitMs?: number
  /** Advanced: force a way of writing cache lines back, '' (default) for the best one here. */
  readonly flush?: FlushMethod
}

/** For openAsync: also watch, and stop, the creation of a large store. */
export interface OpenAsyncOptions<V = unknown> extends OpenOptions<V> {
  /** Called as a new store is written, with bytes done and bytes in all. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  /** Aborts the creation, and waiting for a lock; nothing is left behind and the promise rejects with ERR_SEALOG_ABORTED. */
  readonly signal?: AbortSignal
}

/** Options with every default filled in. `keys` and `encoding` stay undefined to mean: as the store was created. */
export interface ResolvedOptions<V = unknown> {
  readonly capacityBytes: number
  readonly durability: Durability
  readonly require: Domain | 'any'
  readonly readOnly: boolean
  readonly keys: KeyEncoding | undefined
  readonly encoding: ValueEncoding<V> | undefined
  readonly checkpointBytes: number
  readonly segmentBytes: number
  readonly immutable: boolean
  readonly autoGrow: { readonly stepBytes: number; readonly maxBytes: number } | undefined
  /** Segments that the table of a new store has room for; 0: the default. */
  readonly tableCapacity: number
  readonly createIfMissing: boolean
  readonly errorIfExists: boolean
  readonly waitMs: number
  readonly flush: FlushMethod
}

export const capacityBytesDefault = 256 * 2 ** 20
/** Beside META: one segment of each kind in use, and room for the cleaner. kFreeSegmentsMin of native/region/create.h. */
export const freeSegmentsMin = 8
export const checkpointBytesDefault = 512 * 2 ** 10
export const checkpointBytesMin = 64 * 2 ** 10
/** As long as a timer can run. */
export const waitMsMax = 2 ** 31 - 1

const known = [
  'capacity',
  'durability',
  'require',
  'readOnly',
  'keys',
  'encoding',
  'checkpointBytes',
  'segmentBytes',
  'seal',
  'autoGrow',
  'createIfMissing',
  'errorIfExists',
  'waitMs',
  'flush',
] as const satisfies readonly (keyof OpenOptions)[]
const knownAsync = [...known, 'onProgress', 'signal'] as const satisfies readonly (keyof OpenAsyncOptions)[]

/**
 * Checks options and fills in the defaults.
 * @throws TypeError for an unknown option or a wrong type; RangeError for a number outside its bounds
 */
export function resolveOptions<V>(options: OpenOptions<V> = {}): ResolvedOptions<V> {
  return resolve(options, known)
}

/** As {@link resolveOptions}, with the two options that only openAsync takes; `onProgress` and `signal` are checked, not returned. */
export function resolveAsyncOptions<V>(options: OpenAsyncOptions<V> = {}): ResolvedOptions<V> {
  const resolved = resolve(options, knownAsync)
  const { onProgress, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('onProgress', 'a function', onProgress)
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal))
    throw wrong('signal', 'an AbortSignal', signal)
  return resolved
}

function resolve<V>(options: OpenOptions<V>, names: readonly string[]): ResolvedOptions<V> {
  // Callers without types pass anything.
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw wrong('options', 'an object', given)
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) {
      const hint = nearest(name, names)
      throw new TypeError(`Unknown option '${name}'${hint === undefined ? '' : `; did you mean '${hint}'?`}`)
    }
  }

  const readOnly = boolean('readOnly', options.readOnly, false)
  const createIfMissing = boolean('createIfMissing', options.createIfMissing, !readOnly)
  const errorIfExists = boolean('errorIfExists', options.errorIfExists, false)
  if (readOnly && options.createIfMissing === true)
    throw new TypeError("Options 'readOnly' and 'createIfMissing' conflict")
  const immutable = enforced(options.seal)
  if (readOnly && immutable) throw new TypeError("Options 'readOnly' and 'seal.immutable' conflict")
  if (errorIfExists && !createIfMissing) throw new TypeError("Option 'errorIfExists' needs 'createIfMissing'")

  const segmentBytes = bytes('segmentBytes', options.segmentBytes, layoutConstants.kSegmentBytesDefault)
  const { kSegmentBytesMin, kSegmentBytesMax } = layoutConstants
  if (
    segmentBytes < kSegmentBytesMin ||
    segmentBytes > kSegmentBytesMax ||
    !Number.isInteger(Math.log2(segmentBytes))
  ) {
    throw new RangeError(`Option 'segmentBytes' must be a power of two from 16 KiB to 2 MiB, not ${segmentBytes}`)
  }

  const capacityBytes = capacity(options.capacity, segmentBytes)
  const autoGrow = growth(options.autoGrow, segmentBytes)
  if (readOnly && autoGrow) throw new TypeError("Options 'readOnly' and 'autoGrow' conflict")

  return {
    capacityBytes,
    durability: oneOf('durability', options.durability, ['sync', 'relaxed'], 'sync'),
    require: oneOf('require', options.require, ['pmem', 'disk', 'os', 'memory'], 'any'),
    readOnly,
    keys: oneOf('keys', options.keys, ['ordered', 'utf8', 'binary'], undefined),
    encoding: encoding(options.encoding),
    checkpointBytes: checkpointBytes(options.checkpointBytes),
    segmentBytes,
    immutable,
    autoGrow,
    tableCapacity: tableCapacity(capacityBytes, autoGrow?.maxBytes ?? 0, segmentBytes),
    createIfMissing,
    errorIfExists,
    waitMs: waitMs(options.waitMs),
    flush: oneOf('flush', options.flush, ['', 'clwb', 'clflushopt', 'clflush', 'nt'], ''),
  }
}

/** The least store there can be: META, which has table entries for four times its segments, and those that are free at first. */
function segmentsMin(segmentBytes: number): number {
  let segments = freeSegmentsMin + 1
  while (segments < metaSegments(segmentBytes, segments * 4) + freeSegmentsMin) segments++
  return segments
}

/** Rounded up to whole segments. */
function capacity(value: number | string | undefined, segmentBytes: number): number {
  const asked = bytes('capacity', value, capacityBytesDefault)
  const segments = Math.ceil(asked / segmentBytes)
  if (segments < segmentsMin(segmentBytes) || segments > segmentCountMax) {
    const [least, most] = [segmentsMin(segmentBytes) * segmentBytes, segmentCountMax * segmentBytes]
    throw new RangeError(`Option 'capacity' must be from ${least} to ${most} bytes with these segments, not ${asked}`)
  }
  return segments * segmentBytes
}

function growth(value: unknown, segmentBytes: number): ResolvedOptions['autoGrow'] {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) throw wrong('autoGrow', 'an object', value)
  const { step, max, ...others } = value as { step?: number | string; max?: number | string }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new TypeError(`Unknown option 'autoGrow.${unknown}'; it has 'step' and 'max'`)
  if (step === undefined || max === undefined) throw new TypeError("Option 'autoGrow' needs both 'step' and 'max'")
  const most = segmentCountMax * segmentBytes
  const limited = (name: string, given: number | string): number => {
    const asked = bytes(name, given, 0)
    if (asked <= most) return asked
    throw new RangeError(`Option '${name}' must be at most ${most} bytes with these segments, not ${asked}`)
  }
  return { stepBytes: limited('autoGrow.step', step), maxBytes: limited('autoGrow.max', max) }
}

/** Room in the table for all that the store may grow to, where the default, four times what it has and more, is not enough. */
function tableCapacity(capacityBytes: number, maxBytes: number, segmentBytes: number): number {
  const { kSegmentTableOffset, kSegmentEntryBytes } = layoutConstants
  const segments = capacityBytes / segmentBytes
  const meta = metaSegments(segmentBytes, segments * 4) * segmentBytes
  const wanted = Math.ceil(maxBytes / segmentBytes)
  if (wanted <= Math.floor((meta - kSegmentTableOffset) / kSegmentEntryBytes)) return 0
  const least = metaSegments(segmentBytes, wanted) + freeSegmentsMin
  if (segments >= least) return wanted
  throw new RangeError(
    `Option 'autoGrow.max' needs a 'capacity' of at least ${least * segmentBytes} bytes for its segment table`,
  )
}

/**
 * What `grow` was asked for, in bytes.
 * @throws TypeError, RangeError
 */
export function resolveGrowth(
  capacityAsked: number | string,
  options: { readonly onProgress?: unknown; readonly signal?: unknown },
): number {
  const given: unknown = options
  if (typeof given !== 'object' || given === null) throw wrong('options', 'an object', given)
  for (const name of Object.keys(given)) {
    if (name !== 'onProgress' && name !== 'signal') throw new TypeError(`Unknown option '${name}'`)
  }
  const { onProgress, signal } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('onProgress', 'a function', onProgress)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('signal', 'an AbortSignal', signal)
  const parsed = parseBytes(capacityAsked)
  if (parsed.ok) return parsed.bytes
  const message = `The capacity ${parsed.problem}`
  throw parsed.kind === 'type' ? new TypeError(message) : new RangeError(message)
}

function checkpointBytes(value: number | string | undefined): number {
  const asked = bytes('checkpointBytes', value, checkpointBytesDefault)
  if (asked >= checkpointBytesMin) return asked
  throw new RangeError(`Option 'checkpointBytes' must be at least ${checkpointBytesMin}, not ${asked}`)
}

function waitMs(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value !== 'number') throw wrong('waitMs', 'a number', value)
  if (value >= 0 && value <= waitMsMax) return value
  throw new RangeError(`Option 'waitMs' must be from 0 to ${waitMsMax} milliseconds, not ${value}`)
}

function enforced(value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value !== 'object' || value === null) throw wrong('seal', 'an object', value)
  const { immutable, ...others } = value as { immutable?: unknown }
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new TypeError(`Unknown option 'seal.${unknown}'; did you mean 'seal.immutable'?`)
  return boolean('seal.immutable', immutable, false)
}

function encoding<V>(value: ValueEncoding<V> | undefined): ValueEncoding<V> | undefined {
  if (typeof value === 'object' && (value as unknown) !== null) {
    if (typeof value.encode === 'function' && typeof value.decode === 'function') return value
    throw new TypeError("Option 'encoding' must have the functions encode and decode, where it is an object")
  }
  return oneOf('encoding', value, ['msgpack', 'json', 'string', 'binary'], undefined)
}

function bytes(name: string, value: number | string | undefined, fallback: number): number {
  if (value === undefined) return fallback
  const parsed = parseBytes(value)
  if (parsed.ok) return parsed.bytes
  const message = `Option '${name}' ${parsed.problem}`
  throw parsed.kind === 'type' ? new TypeError(message) : new RangeError(message)
}

function boolean(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value === 'boolean') return value
  throw wrong(name, 'a boolean', value)
}

function oneOf<const T extends string, F>(name: string, value: unknown, allowed: readonly T[], fallback: F): T | F {
  if (value === undefined) return fallback
  const found = allowed.find((each) => each === value)
  if (found !== undefined) return found
  throw wrong(name, allowed.map((each) => `'${each}'`).join(', '), value)
}

function wrong(name: string, expected: string, value: unknown): TypeError {
  const shown = typeof value === 'string' ? `'${value}'` : value === null ? 'null' : typeof value
  return new TypeError(`Option '${name}' must be ${expected.includes(',') ? 'one of ' : ''}${expected}, not ${shown}`)
}

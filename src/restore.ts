import { createReadStream, existsSync } from 'node:fs'
import { Readable } from 'node:stream'
import { type Engine, loadEngine } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { SealogError } from './errors.ts'
import { ImageFile } from './image-file.ts'
import { layoutConstants, metaFixedBytes, SegmentType } from './layout/constants.ts'
import { decodeSuperblock, resizeSuperblock, superblockBytes, superblockOffsets } from './layout/superblock.ts'
import { checkLongWork, type LongWorkOptions, throwIfAborted } from './long-work.ts'
import { checkpointBytesDefault, resolveOptions } from './options.ts'
import { parseBytes } from './options/bytes.ts'
import { chooseMeta, type MetaChoice, type Refusal } from './recovery/choose.ts'
import { planEntryBytes, planHeaderBytes, planStore } from './recovery/plan.ts'
import { recoverStore } from './recovery/recover.ts'
import { storePath } from './store-path.ts'
import { Store } from './store.ts'
import type { VerifyReport } from './verify.ts'

/** How to restore a store. */
export interface RestoreOptions extends LongWorkOptions {
  /** Of the new store. Default: that of the store which was backed up. */
  readonly capacity?: number | string
}

/** What {@link restore} has made. */
export interface RestoreReport {
  /** Absolute, of the new store. */
  readonly path: string
  readonly capacityBytes: number
  /** Of the backup. */
  readonly bytes: number
  /** What was found when it was read back. */
  readonly verified: VerifyReport
  readonly durationMs: number
}

const chunkBytes = 4 * 2 ** 20
const noEncoding = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }

/**
 * Makes a store at `path` (the file `path.sealog`) from a backup: a file's path, or a stream of its bytes. Nothing is there before every
 * record was read back and found right, and nothing is left if that fails. What is at `path` already is not touched.
 * @throws TypeError, RangeError for options; SealogError ERR_SEALOG_EXISTS, _NOT_A_STORE, _VERSION, _TRUNCATED, _CORRUPT (the report has
 *   what {@link Store.verify} found), _ABORTED, _NO_SPACE, _PERMISSION, _ABSENT, _IO; the stream's own errors
 */
export async function restore(
  backup: string | Readable,
  path: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  checkLongWork(options, ['capacity'])
  const { signal } = options
  const file = storePath(path)
  if (typeof backup !== 'string' && !((backup as unknown) instanceof Readable))
    throw new TypeError('A backup must be a path or a Readable')
  throwIfAborted(signal, 'Restoring', file)
  const startedMs = performance.now()
  const engine = loadEngine()
  const from = typeof backup === 'string' ? fileOf(backup) : 'the stream'
  const input = typeof backup === 'string' ? createReadStream(from, { highWaterMark: chunkBytes }) : backup
  try {
    const { image, bytes, capacityBytes } = await write(engine, input, from, file, options)
    try {
      const verified = await readBack(engine, image.temporaryPath, file, options)
      throwIfAborted(signal, 'Restoring', file)
      await image.publish()
      return { path: file, capacityBytes, bytes, verified, durationMs: performance.now() - startedMs }
    } finally {
      image.drop()
    }
  } catch (error) {
    throw ioError(error, from)
  } finally {
    input.destroy()
  }
}

/** A backup to a path has `.sealog` behind it; one that was a stream has any name. */
function fileOf(backup: string): string {
  return backup === '' || existsSync(backup) ? backup : storePath(backup)
}

const inputStatus: Readonly<Record<string, Status>> = {
  ENOENT: Status.Absent,
  EACCES: Status.Permission,
  EISDIR: Status.NotRegular,
}

/** Node's own errors of the input file, as ours. */
function ioError(error: unknown, from: string): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException
  if (error instanceof SealogError || syscall === undefined || errno === undefined) return error
  const status = inputStatus[code ?? ''] ?? Status.Io
  const failure = { status, errno: -errno, syscall, offset: 0, detail: '' }
  return errorFromStatus(status, failure, { path: from, cause: error })
}

/** What the beginning of a backup says about the rest. */
interface Layout {
  readonly choice: MetaChoice
  readonly capacityBytes: number
  /** Up to the last segment in use. */
  readonly neededBytes: number
  /** No more than that belongs to the store. */
  readonly regionBytes: number
}

async function write(
  engine: Engine,
  input: Readable,
  from: string,
  path: string,
  { capacity, onProgress, signal }: RestoreOptions,
): Promise<{ image: ImageFile; bytes: number; capacityBytes: number }> {
  const pieces: Buffer[] = []
  let layout: Layout | number = metaFixedBytes
  let image: ImageFile | undefined
  let collected = 0
  let at = 0
  try {
    for await (const each of input) {
      throwIfAborted(signal, 'Restoring', path)
      let chunk = toBuffer(each)
      if (typeof layout === 'number') {
        pieces.push(chunk)
        collected += chunk.length
        if (collected < layout) continue
        chunk = Buffer.concat(pieces)
        layout = layoutOf(chunk, from, capacity)
        if (typeof layout === 'number') {
          pieces.splice(0, pieces.length, chunk)
          continue
        }
        image = await begin(engine, path, chunk, layout)
      }
      const end = Math.min(chunk.length, layout.regionBytes - at)
      await image?.write(at, chunk.subarray(0, end))
      at += end
      onProgress?.(at, Math.max(at, layout.neededBytes))
      if (at === layout.regionBytes) break
    }
    if (typeof layout === 'number' || image === undefined) {
      // Says what is wrong with the little there is, if that can be told.
      layoutOf(Buffer.concat(pieces), from, capacity)
      throw truncated(from, collected, typeof layout === 'number' ? layout : layout.neededBytes)
    }
    if (at < layout.neededBytes) throw truncated(from, at, layout.neededBytes)
    const zeros = Buffer.alloc(chunkBytes)
    for (let offset = at; offset < layout.capacityBytes; offset += zeros.length) {
      throwIfAborted(signal, 'Restoring', path)
      await image.write(offset, zeros.subarray(0, Math.min(zeros.length, layout.capacityBytes - offset)))
    }
    await image.sync()
    return { image, bytes: at, capacityBytes: layout.capacityBytes }
  } catch (error) {
    image?.drop()
    throw error
  }
}

function toBuffer(chunk: unknown): Buffer {
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
  throw new TypeError('A backup must be a stream of bytes; leave out its encoding')
}

/** The file, and in `head` the superblocks that it is to have. */
async function begin(engine: Engine, path: string, head: Buffer, layout: Layout): Promise<ImageFile> {
  const { superblock } = layout.choice
  const resized = resizeSuperblock(superblockBytes(head, superblock), layout.capacityBytes, superblock.sequence + 1)
  for (const offset of superblockOffsets) head.set(resized, offset)
  return await ImageFile.create(engine, path, layout.capacityBytes, true)
}

function truncated(from: string, bytes: number, needed: number): SealogError {
  const detail = `the backup has ${bytes} bytes of ${needed}`
  const failure = { status: Status.Truncated, errno: 0, syscall: '', offset: bytes, detail }
  return errorFromStatus(Status.Truncated, failure, { path: from })
}

/** What `head` says; if it has not all of META that counts, how many bytes that takes. */
function layoutOf(head: Buffer, from: string, capacity: number | string | undefined): Layout | number {
  const choice = chooseMeta(head.subarray(0, metaFixedBytes), Infinity, false)
  if (!choice.ok) throw refused(choice, from)
  const { superblock } = choice
  const tableEnd = metaFixedBytes + superblock.segmentCount * layoutConstants.kSegmentEntryBytes
  if (head.length < tableEnd) return tableEnd
  const plan = planStore(choice, head.subarray(metaFixedBytes, tableEnd), {
    checkpointBytes: checkpointBytesDefault,
    readOnly: true,
  })
  if (!plan.ok) throw refused(plan, from)
  const segmentBytes = 2 ** superblock.segmentBytesLog2
  let used = superblock.metaSegments
  const entries = new DataView(plan.buffer.buffer, plan.buffer.byteOffset + planHeaderBytes)
  for (let i = used; i < superblock.segmentCount; i++) {
    const live = entries.getUint32(i * planEntryBytes + 4, true)
    const inUse = entries.getUint8(i * planEntryBytes) !== SegmentType.Free && live !== 0
    if (inUse || plan.slot.hot?.segment === i || plan.slot.cold?.segment === i) used = i + 1
  }
  const neededBytes = used * segmentBytes
  const leastBytes = Math.max(neededBytes, plan.slot.segmentCount * segmentBytes)
  const capacityBytes = capacityOf(capacity, head, choice, leastBytes)
  return { choice, capacityBytes, neededBytes, regionBytes: Math.min(superblock.regionBytes, capacityBytes) }
}

/** As asked for; else as the store had that was backed up, which the second superblock of a stream still says. */
function capacityOf(
  asked: number | string | undefined,
  head: Buffer,
  { superblock }: MetaChoice,
  leastBytes: number,
): number {
  const segmentBytes = 2 ** superblock.segmentBytesLog2
  if (asked === undefined) {
    let bytes = superblock.regionBytes
    for (const offset of superblockOffsets) {
      const copy = decodeSuperblock(head.subarray(offset, offset + layoutConstants.kSuperblockBytes), offset)
      if (copy.ok && copy.value.tableCapacity === superblock.tableCapacity)
        bytes = Math.max(bytes, copy.value.regionBytes)
    }
    return bytes
  }
  const parsed = parseBytes(asked)
  if (!parsed.ok) {
    const message = `Option 'capacity' ${parsed.problem}`
    throw parsed.kind === 'type' ? new TypeError(message) : new RangeError(message)
  }
  const bytes = Math.ceil(parsed.bytes / segmentBytes) * segmentBytes
  const most = superblock.tableCapacity * segmentBytes
  if (bytes < leastBytes || bytes > most)
    throw new RangeError(`Option 'capacity' must be from ${leastBytes} to ${most} bytes for this backup, not ${bytes}`)
  return bytes
}

function refused({ status, offset, detail }: Refusal, from: string): SealogError {
  return errorFromStatus(status, { status, errno: 0, syscall: '', offset, detail }, { path: from })
}

/** Opens what was written and reads all of it. */
async function readBack(
  engine: Engine,
  temporary: string,
  path: string,
  { onProgress, signal }: RestoreOptions,
): Promise<VerifyReport> {
  const store = openAny(engine, temporary)
  try {
    const report = await store.verify({ ...(onProgress && { onProgress }), ...(signal && { signal }) })
    if (report.ok) return report
    const [first] = report.problems
    throw new SealogError(
      'ERR_SEALOG_CORRUPT',
      `The backup is damaged (${report.problemCount} problems, the first at offset ${first?.offset ?? 0}: ${first?.detail ?? ''}); use another one, nothing was left behind`,
      { path, report },
    )
  } finally {
    store.close()
  }
}

/** Whatever its encoding: no value is decoded. */
function openAny(engine: Engine, file: string): Store {
  try {
    return new Store(engine, file, recoverStore(engine, file, resolveOptions({ readOnly: true }), false))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    const options = resolveOptions({ readOnly: true, encoding: noEncoding })
    return new Store(engine, file, recoverStore(engine, file, options, false))
  }
}

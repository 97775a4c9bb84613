import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { withCompactCopy } from './compact-copy.ts'
import { check, checkObject, type Engine, type Handle, type NativeImage } from './engine/engine.ts'
import { errorFromStatus } from './engine/status.ts'
import { ImageFile } from './image-file.ts'
import { metaFixedBytes } from './layout/constants.ts'
import { resizeSuperblock, type Superblock, superblockBytes, superblockOffsets } from './layout/superblock.ts'
import { checkLongWork, finished, type LongWorkOptions, throwIfAborted } from './long-work.ts'
import type { NativeSession } from './native-session.ts'
import { freeSegmentsMin } from './options.ts'
import { withPin } from './pin.ts'
import { chooseMeta } from './recovery/choose.ts'
import { storePath } from './store-path.ts'

/** How to back up a store. */
export interface BackupOptions extends LongWorkOptions {
  /**
   * Copy what is live, in key order, into a store of the size needed and a quarter more, instead of the segments as they are. Takes longer,
   * and a second such store, of a temporary name, beside the copy (beside the store for a stream). Versions are counted anew. Default false.
   */
  readonly compact?: boolean
}

/** What {@link Store.backup} has written. */
export interface BackupReport {
  /** Of the image: up to the last segment in use. */
  readonly bytes: number
  /** Absolute; undefined for a stream. */
  readonly path: string | undefined
  readonly durationMs: number
  readonly bytesPerSecond: number
}

const chunkBytes = 4 * 2 ** 20
const streamChunkBytes = 2 ** 20

/** Copies the store as it is now to a file or a stream, while writing goes on: {@link Store.backup}. */
export async function backupStore(
  session: NativeSession,
  target: string | Writable,
  options: BackupOptions,
): Promise<BackupReport> {
  checkLongWork(options, ['compact'])
  const { compact = false } = options
  if (typeof (compact as unknown) !== 'boolean') throw new TypeError("Option 'compact' must be a boolean")
  const path = typeof target === 'string' ? storePath(target) : undefined
  if (typeof target !== 'string' && typeof (target as Partial<Writable> | null)?.write !== 'function')
    throw new TypeError('The target of a backup must be a path or a Writable')
  throwIfAborted(options.signal, 'The backup', path ?? session.path)
  const startedMs = performance.now()
  const bytes = await withPin(session, async (pin) => {
    const { engine } = session
    const image = await Image.open(engine, session.handle, pin, session.path)
    if (!compact) return await copyTo(target, image, options, 'as it was')
    const superblock = superblockOf(image, await image.read(0, Buffer.allocUnsafeSlow(metaFixedBytes)))
    const source = { session, pin, superblock, bytes: image.bytes }
    return await withCompactCopy(source, path ?? session.path, options, async (handle) => {
      // Nobody writes to it, so it is let go by closing it.
      const copied = check(engine, engine.pinState(handle), { path: session.path })
      return await copyTo(target, await Image.open(engine, handle, copied, session.path), options, 'just enough')
    })
  })
  const durationMs = performance.now() - startedMs
  return { bytes, path, durationMs, bytesPerSecond: (bytes / Math.max(durationMs, 1e-3)) * 1000 }
}

async function copyTo(
  target: string | Writable,
  image: Image,
  options: BackupOptions,
  size: 'as it was' | 'just enough',
): Promise<number> {
  if (typeof target === 'string') await toFile(image, storePath(target), options, size)
  else await toStream(image, target, options)
  return image.bytes
}

/** The bytes of a pinned state. */
class Image {
  readonly engine: Engine
  readonly #native: NativeImage
  readonly path: string
  readonly bytes: number

  static async open(engine: Engine, handle: Handle, pin: number, path: string): Promise<Image> {
    const native = checkObject(engine, engine.makeImage(handle, pin), { path })
    return new Image(engine, native, path, await finished(engine, engine.openImage(native), path))
  }

  private constructor(engine: Engine, native: NativeImage, path: string, bytes: number) {
    this.engine = engine
    this.#native = native
    this.path = path
    this.bytes = bytes
  }

  /** Fills the buffer, at the end of the image in part. */
  async read(offset: number, buffer: Uint8Array): Promise<Uint8Array> {
    const bytes = await finished(this.engine, this.engine.readImage(this.#native, offset, buffer), this.path)
    return buffer.subarray(0, bytes)
  }
}

function superblockOf(image: Image, first: Uint8Array): Superblock {
  const choice = chooseMeta(first.subarray(0, metaFixedBytes), Infinity, true)
  if (choice.ok) return choice.superblock
  const { status, offset, detail } = choice
  throw errorFromStatus(status, { status, errno: 0, syscall: '', offset, detail }, { path: image.path })
}

/** What a store needs to take puts for a while: they leave a tenth. */
function roomy(bytes: number, segmentBytes: number): number {
  return (Math.ceil((bytes / segmentBytes) * 1.25) + freeSegmentsMin) * segmentBytes
}

/** A file of the store's own size, sparse where nothing is. The next piece is read while one is written. */
async function toFile(
  image: Image,
  path: string,
  { onProgress, signal }: BackupOptions,
  size: 'as it was' | 'just enough',
): Promise<void> {
  const buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)] as const
  let chunk = await image.read(0, buffers[0])
  const superblock = superblockOf(image, chunk)
  let { regionBytes } = superblock
  if (size === 'just enough') {
    regionBytes = Math.min(regionBytes, roomy(image.bytes, 2 ** superblock.segmentBytesLog2))
    const resized = resizeSuperblock(superblockBytes(chunk, superblock), regionBytes, superblock.sequence + 1)
    for (const offset of superblockOffsets) chunk.set(resized, offset)
  }
  const file = await ImageFile.create(image.engine, path, regionBytes, false)
  let reading: Promise<Uint8Array> | undefined
  try {
    for (let at = 0, turn = 1; ; turn = 1 - turn) {
      throwIfAborted(signal, 'The backup', path)
      const next = at + chunk.length
      reading = next < image.bytes ? image.read(next, turn === 1 ? buffers[1] : buffers[0]) : undefined
      await Promise.all([file.write(at, chunk), reading])
      at = next
      onProgress?.(at, image.bytes)
      if (reading === undefined) break
      chunk = await reading
    }
    await file.sync()
    throwIfAborted(signal, 'The backup', path)
    await file.publish()
  } finally {
    await reading?.catch(() => undefined)
    file.drop()
  }
}

/** The stream is a store file that ends behind the last segment in use, and says so in its first superblock; in its second it has the old size. */
async function toStream(image: Image, target: Writable, { onProgress, signal }: BackupOptions): Promise<void> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < image.bytes;) {
      const chunk = await image.read(at, Buffer.allocUnsafeSlow(streamChunkBytes))
      if (at === 0) {
        const superblock = superblockOf(image, chunk)
        const old = superblockBytes(chunk, superblock)
        chunk.set(old, superblockOffsets[1])
        chunk.set(resizeSuperblock(old, image.bytes, superblock.sequence + 1), superblockOffsets[0])
      }
      yield chunk
      at += chunk.length
      onProgress?.(at, image.bytes)
    }
  }
  try {
    await pipeline(Readable.from(chunks(), { objectMode: true, highWaterMark: 1 }), target, { signal })
  } catch (error) {
    throwIfAborted(signal, 'The backup', image.path)
    throw error
  }
}

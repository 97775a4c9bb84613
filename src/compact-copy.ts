import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { checkObject, type Engine, type Handle, ValueCodecCode } from './engine/engine.ts'
import { isSealogError } from './errors.ts'
import type { Superblock } from './layout/superblock.ts'
import { finished, type LongWorkOptions, throwIfAborted } from './long-work.ts'
import type { NativeSession } from './native-session.ts'
import { nativeCreateOptions } from './options/native.ts'
import { resolveOptions } from './options.ts'
import { recoverStore } from './recovery/recover.ts'

const noEncoding = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }
const attemptsMax = 5
const roomSegments = 16

/** A pinned state of an open store. */
export interface PinnedSource {
  readonly session: NativeSession
  readonly pin: number
  readonly superblock: Superblock
  /** What its segments in use come to, about; the copy takes less as a rule. */
  readonly bytes: number
}

/**
 * Copies what is live in a pinned state, in key order, into a new store beside `path`, and removes that when `work` is done with it.
 * @throws SealogError
 */
export async function withCompactCopy<T>(
  source: PinnedSource,
  path: string,
  { signal }: LongWorkOptions,
  work: (handle: Handle) => Promise<T>,
): Promise<T> {
  const { session, superblock, bytes } = source
  const { engine } = session
  const name = `.${basename(path).slice(0, 200)}.sealog-compact-${randomBytes(8).toString('hex')}`
  const file = join(dirname(path), name)
  const segmentBytes = 2 ** superblock.segmentBytesLog2
  const segments = Math.ceil((bytes / segmentBytes) * 1.25) + roomSegments
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = await createLike(engine, file, superblock, Math.ceil(segments * 1.5 ** attempt) * segmentBytes)
      try {
        const copier = checkObject(engine, engine.makeCopier(session.handle, source.pin), { path: session.path })
        do throwIfAborted(signal, 'The backup', path)
        while ((await finished(engine, engine.stepCopier(copier, handle), session.path)) !== 0)
        return await work(handle)
      } finally {
        engine.closeRegion(handle)
      }
    } catch (error) {
      // Records lie otherwise in it than in the source: what they need is not known before.
      if (!isSealogError(error, 'ERR_SEALOG_FULL') || attempt === attemptsMax) throw error
    } finally {
      rmSync(file, { force: true })
    }
  }
}

/** A new store with the encodings and segments of another one, open. */
async function createLike(engine: Engine, file: string, superblock: Superblock, bytes: number): Promise<Handle> {
  const { keyCodec, valueCodec, segmentBytesLog2 } = superblock
  const options = resolveOptions({
    capacity: bytes,
    segmentBytes: 2 ** segmentBytesLog2,
    durability: 'relaxed',
    // Each checkpoint gives empty segments back, which lie between those in use: few of them make a short copy.
    checkpointBytes: 64 * 2 ** 20,
    ...(valueCodec === ValueCodecCode.custom && { encoding: noEncoding }),
  })
  await finished(engine, engine.createStoreAsync(file, { ...nativeCreateOptions(options), keyCodec, valueCodec }), file)
  return recoverStore(engine, file, options, true).handle
}

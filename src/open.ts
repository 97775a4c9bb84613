import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { checkObject, type Engine, loadEngine } from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { isSealogError, SealogError } from './errors.ts'
import type { Key } from './codec/keys.ts'
import { aborted, NativeProgress, runLong, throwIfAborted } from './long-work.ts'
import { OpenTelling } from './open-telling.ts'
import { nativeCreateOptions } from './options/native.ts'
import {
  type OpenAsyncOptions,
  type OpenOptions,
  type ResolvedOptions,
  resolveAsyncOptions,
  resolveOptions,
} from './options.ts'
import { lockedError, LockPatience } from './recovery/lock.ts'
import { openStore, type RecoveredStore, recoverInTurn } from './recovery/recover.ts'
import { storePath } from './store-path.ts'
import { Store } from './store.ts'

/**
 * Opens the store at `path` (the file `path.sealog`), or creates and seals it where there is none, which takes as long as writing its
 * capacity. Recovers first if it was not closed properly. A store that this process has open, in any thread, is shared: each handle is
 * closed by itself, and options that concern the store must be the same. docs/concurrency.md has the guarantees.
 * @throws TypeError, RangeError for options; SealogError: ERR_SEALOG_LOCKED, _REQUIRE, _NOT_A_STORE, _VERSION, _TRUNCATED, _CORRUPT,
 *   _NOT_REGULAR, _LINKED, _NO_SPACE, _PERMISSION, _ABSENT, _EXISTS, _IO, _MEDIA
 */
export function open<V = unknown, K = Key>(path: string, options: OpenOptions<V> = {}): Store<V, K> {
  const resolved = resolveOptions(options)
  const file = storePath(path)
  const engine = loadEngine()
  const telling = OpenTelling.begin(file, resolved)
  try {
    return storeOf<V, K>(engine, file, openStore(engine, file, resolved), telling)
  } catch (error) {
    telling?.failed(error)
    throw error
  }
}

/**
 * As open, with the creation of a new store off the event loop: `onProgress` is told of it, `signal` stops it and leaves nothing
 * behind. Waiting for another thread or process (`waitMs`) does not block the event loop either, and ends by `signal` within 16 ms.
 * @throws as open (rejects), and ERR_SEALOG_ABORTED with the signal's reason as its cause
 */
export async function openAsync<V = unknown, K = Key>(
  path: string,
  options: OpenAsyncOptions<V> = {},
): Promise<Store<V, K>> {
  const resolved = resolveAsyncOptions(options)
  const file = storePath(path)
  const engine = loadEngine()
  const telling = OpenTelling.begin(file, resolved)
  try {
    return storeOf<V, K>(engine, file, await recoverOrCreate(engine, file, resolved, options), telling)
  } catch (error) {
    telling?.failed(error)
    throw error
  }
}

function storeOf<V, K>(engine: Engine, file: string, recovered: RecoveredStore, telling?: OpenTelling): Store<V, K> {
  const store = new Store<V, K>(engine, file, recovered)
  telling?.opened(recovered)
  return store
}

async function recoverOrCreate<V>(
  engine: Engine,
  file: string,
  resolved: ResolvedOptions,
  { onProgress, signal }: OpenAsyncOptions<V>,
): Promise<RecoveredStore> {
  throwIfAborted(signal, `Opening the store (${file})`, file, 'nothing was done, try again at will')
  if (!resolved.errorIfExists) {
    try {
      return await recover(engine, file, resolved, false, signal)
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_ABSENT') || !resolved.createIfMissing) throw error
    }
  }

  const progress = new NativeProgress()
  const tell = progress.teller(onProgress)
  return await runLong(tell, signal, progress.stop, async () => {
    const { answer, error } = await engine.createStoreAsync(file, nativeCreateOptions(resolved, progress.numbers))
    if (answer === -Status.Aborted) throw aborted(signal, `Creating the store (${file})`, file)
    // Somebody else may have created it meanwhile: then that one is opened.
    if (answer < 0 && (answer !== -Status.Exists || resolved.errorIfExists))
      throw errorFromStatus(-answer, error, { path: file })
    if (answer === 0) tell?.()
    return await recover(engine, file, resolved, answer === 0, signal)
  })
}

/** Comes again while another thread opens or closes the store, and, for as long as the options say, while another process has it. */
async function recover(
  engine: Engine,
  path: string,
  options: ResolvedOptions,
  created: boolean,
  signal: AbortSignal | undefined,
): Promise<RecoveredStore> {
  const patience = new LockPatience(options.waitMs)
  for (;;) {
    const recovered = recoverInTurn(engine, path, options, created, false)
    if (typeof recovered === 'object') return recovered
    if (recovered !== 'opening' && patience.isOver(recovered)) throw lockedError(engine, path)
    await setTimeout(patience.pause())
    const state = created ? 'it was created, and stays' : 'it is as it was, try again at will'
    throwIfAborted(signal, `Waiting for the store (${path})`, path, state)
  }
}

/** What a directory gives a store that is created in it. docs/durability.md explains the terms. */
export interface DirectoryFacts {
  readonly fsName: string
  readonly local: boolean
  readonly overwritesInPlace: boolean
  readonly mountOptions: string
  readonly kernelRelease: string
  readonly blockBytes: number
  readonly freeBytes: number
  readonly daxAttribute: boolean
  readonly mapSync: boolean
  readonly mapSyncError: string
  readonly flush: string
  readonly eadr: boolean
  readonly fallocate: boolean
  readonly probeBytes: number
  readonly allocated: DirectorySeal
  readonly sealed: DirectorySeal
  readonly domainSync: string
  readonly domainRelaxed: string
  readonly lease: boolean
}

/** The block map of doctor's probe file: 0 sparse, 1 allocated, 2 sealed. */
export interface DirectorySeal {
  readonly method: string
  readonly level: number
  readonly extents: number
  readonly alignedBytes: number
  readonly unwrittenBytes: number
  readonly sharedBytes: number
  readonly holeBytes: number
  readonly otherBytes: number
}

/**
 * Finds out what a directory gives a store, by trying with a file of 8 MiB that is gone afterwards.
 * @throws SealogError: ERR_SEALOG_ABSENT, _PERMISSION, _NO_SPACE, _IO
 */
export function diagnose(directory: string): DirectoryFacts {
  if (typeof directory !== 'string' || directory === '') throw new TypeError('The directory must be a non-empty string')
  const engine = loadEngine()
  try {
    return checkObject<DirectoryFacts>(
      engine,
      engine.doctor(resolve(directory)) as unknown as DirectoryFacts | number,
      {
        path: directory,
      },
    )
  } catch (error) {
    if (!isSealogError(error, 'ERR_SEALOG_ABSENT')) throw error
    throw new SealogError('ERR_SEALOG_ABSENT', `There is no directory ${directory}; create it, or name another`, {
      path: directory,
    })
  }
}

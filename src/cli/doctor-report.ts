import { type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { diagnose, type DirectoryFacts, type DirectorySeal, isSealogError, SealogError } from '../index.ts'
import { advise } from './advice.ts'
import type { BlockMap, DirectoryReport, DoctorReport } from './report.ts'
import { inspectStore } from './store-report.ts'

const extension = '.sealog'

/**
 * Everything doctor can tell about a path: of a directory, or of a store and its directory.
 * @throws SealogError if the path names nothing, or nothing can be tried in the directory
 */
export function diagnosePath(path: string, version: string): DoctorReport {
  const { directory, storeFile } = locate(path)
  const facts = reportOf(tryDirectory(directory))
  const store = storeFile === undefined ? null : inspectStore(storeFile)
  return { sealog: version, directory, ...facts, store, advice: advise(facts, store) }
}

interface Location {
  readonly directory: string
  readonly storeFile?: string
}

/** A directory comes first; then a file; then a store named without its extension; then one that is still to be created. */
function locate(path: string): Location {
  if (path === '' || path.includes('\0')) throw new TypeError('The path must not be empty, nor contain a NUL')
  const full = resolve(path)
  const found = statOf(full)
  if (found?.isDirectory()) return { directory: full }
  const storeFile = full.endsWith(extension) ? full : full + extension
  const exists = found !== undefined || statOf(storeFile) !== undefined
  const directory = dirname(full)
  // Without the extension a path that names nothing is as likely a mistyped directory: its parent would be the wrong answer.
  if (!exists && (!full.endsWith(extension) || statOf(directory)?.isDirectory() !== true)) {
    throw new SealogError(
      'ERR_SEALOG_ABSENT',
      `There is no directory or store ${full}; create the directory, or end the path of a store to come in ${extension}`,
      { path: full },
    )
  }
  if (found !== undefined && storeFile !== full && statOf(storeFile) === undefined) {
    throw new SealogError(
      'ERR_SEALOG_NOT_A_STORE',
      `${full} is neither a directory nor a store (whose name ends in ${extension}); name its directory ${directory}`,
      { path: full },
    )
  }
  return { directory, storeFile }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG') return undefined
    if (code === 'EACCES') {
      throw new SealogError('ERR_SEALOG_PERMISSION', `${dirname(path)} may not be searched by this user`, { path })
    }
    throw error
  }
}

function tryDirectory(directory: string): DirectoryFacts {
  try {
    return diagnose(directory)
  } catch (error) {
    // The directory is there, so it was the probe file that could not be: /proc answers so.
    if (!isSealogError(error, 'ERR_SEALOG_ABSENT')) throw error
    throw new SealogError('ERR_SEALOG_UNSUPPORTED', `No file can be created in ${directory}; name another directory`, {
      path: directory,
      cause: error,
    })
  }
}

function reportOf(facts: DirectoryFacts): DirectoryReport {
  return {
    fileSystem: {
      name: facts.fsName,
      local: facts.local,
      mountOptions: [...new Set(facts.mountOptions.split(',').filter((option) => option !== ''))],
      blockBytes: facts.blockBytes,
      // Native says 2^64 - 1 where there is no limit.
      freeBytes: facts.freeBytes > Number.MAX_SAFE_INTEGER ? null : facts.freeBytes,
      overwritesInPlace: facts.overwritesInPlace,
      fallocate: facts.fallocate,
      writeLease: facts.lease,
    },
    kernel: facts.kernelRelease,
    dax: {
      attribute: facts.daxAttribute,
      mapSync: facts.mapSync,
      mapSyncError: facts.mapSync || facts.mapSyncError === '' ? null : facts.mapSyncError,
    },
    cpu: { flush: facts.flush, eadr: facts.eadr },
    probe: {
      bytes: facts.probeBytes,
      afterFallocate: blockMapOf(facts.allocated),
      afterSealing: blockMapOf(facts.sealed),
    },
    seal: levelOf(facts.sealed),
    persistence: { sync: domainOf(facts.domainSync), relaxed: domainOf(facts.domainRelaxed) },
  }
}

function blockMapOf(seal: DirectorySeal): BlockMap {
  return {
    method: seal.method as BlockMap['method'],
    level: levelOf(seal),
    extents: seal.extents,
    unwrittenBytes: seal.unwrittenBytes,
    alignedBytes: seal.alignedBytes,
    sharedBytes: seal.sharedBytes,
    holeBytes: seal.holeBytes,
    otherBytes: seal.otherBytes,
  }
}

function levelOf(seal: DirectorySeal): BlockMap['level'] {
  return (['sparse', 'allocated', 'sealed'] as const)[seal.level] ?? 'sparse'
}

function domainOf(name: string): DirectoryReport['persistence']['sync'] {
  const domain = (['pmem', 'disk', 'os', 'memory'] as const).find((each) => each === name)
  if (domain === undefined) throw new TypeError(`Unknown persistence domain '${name}'`)
  return domain
}

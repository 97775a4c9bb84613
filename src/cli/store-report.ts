import { statSync } from 'node:fs'
import { isSealogError, open, type Store } from '../index.ts'
import type { StoreReport } from './report.ts'

/** Values are not looked at, so a custom encoding need not be the right one. */
const anyEncoding = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }

/** Opens a store for reading, which changes nothing in it and holds a shared lock meanwhile, and says what it is. */
export function inspectStore(path: string): StoreReport {
  let store: Store | undefined
  try {
    store = openForReading(path)
    const { seal, recovery } = store
    return {
      path,
      state: recovery.outcome === 'recovered' ? 'unclean' : 'clean',
      bytes: statSync(path).size,
      entries: store.count(),
      persistence: store.persistence,
      seal: {
        level: seal.level,
        verified: seal.verified,
        reasons: seal.reasons,
        extents: seal.extents,
        alignedBytes: seal.alignedBytes,
      },
      recordsToReplay: recovery.recordsReplayed,
      lsn: recovery.lsn,
      checkpoint: recovery.checkpoint,
      findings: recovery.findings,
    }
  } catch (error) {
    if (!isSealogError(error)) throw error
    const { code, message } = error
    if (code === 'ERR_SEALOG_ABSENT') return { path, state: 'absent' }
    return { path, state: code === 'ERR_SEALOG_LOCKED' ? 'in-use' : 'refused', code, message }
  } finally {
    store?.close()
  }
}

function openForReading(path: string): Store {
  try {
    return open(path, { readOnly: true })
  } catch (error) {
    // A custom encoding: the store does not know it.
    if (!(error instanceof TypeError)) throw error
    return open<Uint8Array>(path, { readOnly: true, encoding: anyEncoding })
  }
}

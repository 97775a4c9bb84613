import { statSync } from 'node:fs'
import { isSealogError, type Store } from '../index.ts'
import { openForReading } from './open-any.ts'
import type { StoreReport } from './report.ts'

/** Opens a store for reading, which changes nothing in it and holds a shared lock meanwhile, and says what it is. */
export function inspectStore(path: string): StoreReport {
  let store: Store | undefined
  try {
    store = openForReading(path)
    if (store.info.besideWriter) {
      return { path, state: 'in-use', code: 'ERR_SEALOG_LOCKED', message: 'Another process has it open for writing' }
    }
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

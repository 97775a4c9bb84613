import { check, type Engine } from '../engine/engine.ts'
import { newestCheckpoint, type RecoveredStore, recoverInTurn } from './recover.ts'

/**
 * Gives a reader's handle the newest state that it can see, and its old one back. What was opened of that, snapshots and iterators, keeps
 * it. Nothing happens where this process has the store open for writing: what is read is always the newest then.
 * @returns what was found; undefined: there is nothing newer
 * @throws SealogError as open
 */
export function refreshStore(engine: Engine, store: RecoveredStore): RecoveredStore | undefined {
  const { handle, info, options } = store
  const { path } = info
  const pinned = check(engine, engine.pinnedCheckpoint(handle), { path })
  if (pinned === 0) return undefined
  const unchanged = newestCheckpoint(engine, path, handle) === pinned
  // Replayed already, and no checkpoint since. Beside a writer, it may be gone: then there is its log.
  if (unchanged && (!info.besideWriter || check(engine, engine.hasWriter(handle), { path }) === 1)) return undefined
  const newer = recoverInTurn(engine, path, options, false, true, true)
  if (typeof newer !== 'object') return undefined
  if (unchanged && newer.info.besideWriter) {
    engine.closeStore(newer.handle)
    return undefined
  }
  const replaced = check(engine, engine.replaceStore(handle, newer.handle), { path })
  return replaced === 0 ? undefined : { ...newer, handle }
}

import type { PackedBatch } from './batch.ts'
import { commitsWanted } from './diagnostics.ts'
import { Status } from './engine/status.ts'
import type { NativeSession } from './native-session.ts'

/**
 * Hands a batch to native and lets go of its memory.
 * @returns the version of the commit; 0: there was nothing to change; undefined: a condition does not hold
 * @throws SealogError
 */
export function runBatch(session: NativeSession, batch: PackedBatch, flags: number): number | undefined {
  if (batch.count === 0) {
    batch.release()
    return 0
  }
  const answer = session.engine.batch(session.handle, batch.buffer, batch.bytes, batch.count, flags)
  batch.release()
  if (answer >= 0) return answer
  if (answer === -Status.Conflict) return undefined
  throw session.failure(answer)
}

/** As runBatch, for what is told as a commit: while somebody listens, `batch.told` is what there is to tell. */
export function runToldBatch(session: NativeSession, batch: PackedBatch, flags: number): number | undefined {
  if (!commitsWanted()) return runBatch(session, batch, flags)
  const tally = batch.tally()
  const startedMs = performance.now()
  const version = runBatch(session, batch, flags)
  batch.told = { tally, durationMs: performance.now() - startedMs }
  return version
}

import { Meta } from './engine/buffers.ts'
import { Space } from './engine/engine.ts'
import { Status } from './engine/status.ts'
import type { NativeSession } from './native-session.ts'

/** An entry of the system tree, in memory of its own. */
export interface SystemEntry {
  readonly bytes: Buffer
  readonly version: number
}

/**
 * Reads from the system tree, in the newest state (0) or a snapshot. Not through the read buffer: it may be called in the middle of a
 * decode.
 * @throws SealogError
 */
export function readSystemTree(session: NativeSession, key: Buffer, snapshot: number): SystemEntry | undefined {
  const { engine, handle, write, meta } = session
  for (let room = 4096; ;) {
    const own = Buffer.allocUnsafeSlow(room)
    key.copy(write)
    const answer = engine.getInto(handle, key.length, own, Space.System, snapshot)
    if (answer >= 0) return { bytes: own.subarray(0, answer), version: meta[Meta.Version] ?? 0 }
    if (answer === -Status.NotFound) return undefined
    if (answer !== -Status.ValueOutside) throw session.failure(answer)
    room = meta[Meta.ValueBytes] ?? room * 2
  }
}

import { PackedBatch } from './batch.ts'
import { structuresKey } from './catalogue.ts'
import type { StructureStore } from './codec/values.ts'
import { runBatch } from './run-batch.ts'
import { Meta } from './engine/buffers.ts'
import { Space } from './engine/engine.ts'
import { Status } from './engine/status.ts'
import { layoutConstants } from './layout/constants.ts'
import type { NativeSession } from './native-session.ts'

/**
 * msgpackr's shared structures live in the system tree, written before the value that first needs them. Loaded in the middle of a
 * decode, so into a buffer of their own.
 */
export function structureStore(session: NativeSession, born: number): StructureStore {
  const { engine, handle } = session
  const key = structuresKey(born)
  return {
    load: () => {
      for (let bytes = 4096; ;) {
        const own = Buffer.allocUnsafeSlow(bytes)
        key.copy(session.write)
        const answer = engine.getInto(handle, key.length, own, Space.System, 0)
        if (answer >= 0) return own.subarray(0, answer)
        if (answer === -Status.NotFound) return undefined
        if (answer !== -Status.ValueOutside) throw session.failure(answer)
        bytes = session.meta[Meta.ValueBytes] ?? bytes * 2
      }
    },
    save: (value) => {
      const batch = new PackedBatch()
      batch.putBytes(layoutConstants.kTreeSystem, key, value)
      runBatch(session, batch, 0)
    },
  }
}

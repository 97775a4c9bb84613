import { PackedBatch } from './batch.ts'
import { structuresKey } from './catalogue.ts'
import type { StructureStore } from './codec/values.ts'
import { runBatch } from './run-batch.ts'
import { layoutConstants } from './layout/constants.ts'
import type { NativeSession } from './native-session.ts'
import { readSystemTree } from './system-tree.ts'

/** msgpackr's shared structures live in the system tree, written before the value that first needs them. */
export function structureStore(session: NativeSession, born: number): StructureStore {
  const key = structuresKey(born)
  return {
    load: () => readSystemTree(session, key, 0)?.bytes,
    save: (value) => {
      const batch = new PackedBatch()
      batch.putBytes(layoutConstants.kTreeSystem, key, value)
      runBatch(session, batch, 0)
    },
  }
}

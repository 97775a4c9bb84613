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
  let version = 0
  return {
    load: () => {
      const found = readSystemTree(session, key, 0)
      version = found?.version ?? 0
      return found?.bytes
    },
    save: (value) => {
      const batch = new PackedBatch()
      batch.checkBytes(layoutConstants.kTreeSystem, key, version)
      batch.putBytes(layoutConstants.kTreeSystem, key, value)
      return runBatch(session, batch, 0) !== undefined
    },
  }
}

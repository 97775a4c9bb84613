import type { RegionInfo } from '../engine/engine.ts'
import { checkpointBytesDefault } from '../options.ts'
import { chooseMeta } from './choose.ts'
import { planStore } from './plan.ts'

export interface MetaProblem {
  readonly offset: number
  readonly detail: string
}

/**
 * What does not hold in META, copies that are not needed included.
 * @param meta its fixed part
 * @param readTable the entries of the first segments
 */
export function checkMeta(
  meta: Uint8Array,
  info: Pick<RegionInfo, 'fileBytes'>,
  readTable: (segments: number) => Uint8Array,
): MetaProblem[] {
  const choice = chooseMeta(meta, info.fileBytes, true)
  if (!choice.ok) return [choice]
  const plan = planStore(choice, readTable(choice.superblock.segmentCount), {
    checkpointBytes: checkpointBytesDefault,
    readOnly: true,
  })
  const findings = [...choice.findings, ...(plan.ok ? plan.findings : [])].map((detail) => ({ offset: 0, detail }))
  return plan.ok ? findings : [plan, ...findings]
}

import { Status } from '../../src/engine/status.ts'
import { epochMax, layoutConstants, metaFixedBytes } from '../../src/layout/constants.ts'
import { chooseMeta } from '../../src/recovery/choose.ts'
import { planStore } from '../../src/recovery/plan.ts'
import type { MetaCase } from './meta-cases.ts'

/** What META was found to be. */
export interface Decision {
  readonly status: number
  /** Whether the newest valid checkpoint was passed over. */
  readonly older: boolean
  /** Empty where it is refused. */
  readonly plan: Buffer
  /** What native's own check of the plan then says. */
  readonly startStatus: number
}

/** Recovery in TypeScript, as far as META goes: recover.ts without the log. */
export function decide({ image, fileBytes, readOnly, checkpointBytes }: MetaCase): Decision {
  const refused = (status: number, older: boolean): Decision => ({
    status,
    older,
    plan: Buffer.alloc(0),
    startStatus: Status.Ok,
  })
  const choice = chooseMeta(image.subarray(0, metaFixedBytes), fileBytes, readOnly)
  if (!choice.ok) return refused(choice.status, false)
  const tableEnd = metaFixedBytes + choice.superblock.segmentCount * layoutConstants.kSegmentEntryBytes
  const plan = planStore(choice, image.subarray(metaFixedBytes, tableEnd), { checkpointBytes, readOnly })
  if (!plan.ok) return refused(plan.status, choice.slots.length > 0)
  const buffer = Buffer.from(plan.buffer)
  const startStatus = startRefuses(buffer) ? Status.Corrupt : Status.Ok
  return { status: Status.Ok, older: plan.findings.length > 0, plan: buffer, startStatus }
}

/**
 * Every case in which native refuses a plan that TypeScript made: an epoch that is none or leaves no room for those to come.
 */
function startRefuses(plan: Buffer): boolean {
  const epoch = Number(plan.readBigUInt64LE(56))
  const floor = Number(plan.readBigUInt64LE(248))
  return epoch === 0 || Math.max(epoch, floor) > epochMax - 2 ** 32
}

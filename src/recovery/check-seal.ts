import { check, checkObject, type Engine, type Handle, type RegionInfo, type SealProbe } from '../engine/engine.ts'
import type { SealRecord } from '../layout/seal.ts'
import { digestOf, judgeSeal } from './judge-seal.ts'
import type { SealReport } from './report.ts'

/**
 * Compares the block map with the seal record; records what has moved, and mends what is broken, unless the store is read-only. Never
 * throws: a seal that cannot be kept costs latency, not data, and is reported.
 */
export function checkSeal(
  engine: Engine,
  handle: Handle,
  info: RegionInfo,
  uuid: Uint8Array,
  record: SealRecord | undefined,
): SealReport {
  let probe: SealProbe | undefined
  const reasons: string[] = []
  let verified: SealReport['verified'] = 'unverified'
  try {
    probe = checkObject(engine, engine.probeSeal(handle))
    const judged = judgeSeal(record, probe, info)
    reasons.push(...judged.reasons)
    if (judged.verdict === 'unchanged') {
      verified = 'unchanged'
    } else if (!info.readOnly) {
      check(engine, engine.repairSeal(handle, uuid, (record?.sequence ?? 0) + 1))
      probe = checkObject(engine, engine.probeSeal(handle))
      if (judged.verdict === 'reseal') verified = 'resealed'
      else if (probe.level >= (record?.level ?? 0) && probe.sharedBytes === 0) verified = 'repaired'
      else reasons.push('the file system did not let it be mended')
    }
  } catch (error) {
    reasons.push(error instanceof Error ? error.message : String(error))
  }
  return { ...probedSeal(probe), enforced: false, verified, reasons }
}

/** What a probe says, for people. */
export function probedSeal(
  probe: SealProbe | undefined,
): Pick<SealReport, 'level' | 'extents' | 'alignedBytes' | 'method' | 'digest'> {
  return {
    level: (['sparse', 'allocated', 'sealed'] as const)[probe?.level ?? 0] ?? 'sparse',
    extents: probe?.extents ?? 0,
    alignedBytes: probe?.alignedBytes ?? 0,
    method: probe?.method ?? 'none',
    digest: probe ? digestOf(probe) : '',
  }
}

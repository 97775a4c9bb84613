import { check, checkObject, type Engine, type Handle, type RegionInfo, type SealProbe } from '../engine/engine.ts'
import type { SealRecord } from '../layout/seal.ts'
import { digestOf, judgeSeal } from './judge-seal.ts'
import { type BrokenSeal, type SealLevel, sealLevels, type SealReport } from './report.ts'

/** What has become of a seal. */
export interface CheckedSeal {
  readonly report: SealReport
  readonly broken: BrokenSeal | undefined
}

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
): CheckedSeal {
  let probe: SealProbe | undefined
  let broken: BrokenSeal | undefined
  const reasons: string[] = []
  let verified: SealReport['verified'] = 'unverified'
  try {
    probe = checkObject(engine, engine.probeSeal(handle))
    const judged = judgeSeal(record, probe, info)
    reasons.push(...judged.reasons)
    if (judged.verdict === 'repair') {
      broken = { from: record ? levelOf(record.level) : null, to: levelOf(probe.level), reasons: judged.reasons }
    }
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
  return { report: { ...probedSeal(probe), enforced: false, verified, reasons }, broken }
}

/** By the number that seal records and probes have. */
export function levelOf(level: number | undefined): SealLevel {
  return sealLevels[level ?? 0] ?? 'sparse'
}

/** What a probe says, for people. */
export function probedSeal(
  probe: SealProbe | undefined,
): Pick<SealReport, 'level' | 'extents' | 'alignedBytes' | 'method' | 'digest'> {
  return {
    level: levelOf(probe?.level),
    extents: probe?.extents ?? 0,
    alignedBytes: probe?.alignedBytes ?? 0,
    method: probe?.method ?? 'none',
    digest: probe ? digestOf(probe) : '',
  }
}

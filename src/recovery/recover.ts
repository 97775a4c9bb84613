import { check, checkObject, type Engine, type Handle, type RegionInfo, type ReplayResult } from '../engine/engine.ts'
import { errorFromStatus, Status } from '../engine/status.ts'
import { isSealogError } from '../errors.ts'
import { layoutConstants, metaFixedBytes } from '../layout/constants.ts'
import type { Superblock } from '../layout/superblock.ts'
import { nativeCreateOptions, nativeGrowthOptions, nativeOpenOptions } from '../options/native.ts'
import type { ResolvedOptions } from '../options.ts'
import { checkSeal } from './check-seal.ts'
import { chooseMeta, chooseSeal, type MetaChoice, type Refusal } from './choose.ts'
import { classifyLog, type LogEnd } from './classify.ts'
import { chooseCodecs, type StoreCodecs } from './codecs.ts'
import { lockedError, LockPatience } from './lock.ts'
import { checkJoin, decodeFacts, encodeFacts } from './join.ts'
import { type Plan, planStore } from './plan.ts'
import type { BrokenSeal, RecoveryReport, SealReport } from './report.ts'

export type { RecoveryReport, SealReport } from './report.ts'

/** A store that is being served. */
export interface RecoveredStore extends StoreCodecs {
  readonly handle: Handle
  readonly info: RegionInfo
  readonly superblock: Superblock
  readonly recovery: RecoveryReport
  readonly seal: SealReport
  /** What this open has found of the seal, if it was worse than recorded. */
  readonly brokenSeal: BrokenSeal | undefined
  readonly options: ResolvedOptions
  /** Whether this process had it open already. */
  readonly shared: boolean
  /** Unix milliseconds, with fractions: which opening of the store it is that all who share it have joined. */
  readonly openedAtMs: number
}

/**
 * Opens the store at `path`, or creates and seals it where there is nothing and the options allow it.
 * @throws SealogError, TypeError (encodings that differ from the store's)
 */
export function openStore(engine: Engine, path: string, options: ResolvedOptions): RecoveredStore {
  if (!options.errorIfExists) {
    try {
      return recoverStore(engine, path, options, false)
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_ABSENT') || !options.createIfMissing) throw error
    }
  }
  const answer = engine.createStore(path, nativeCreateOptions(options))
  // Somebody else has created it meanwhile: then that one is opened.
  if (answer !== -Status.Exists || options.errorIfExists) check(engine, answer, { path })
  return recoverStore(engine, path, options, answer >= 0)
}

/**
 * Recovers the store at `path` and begins to serve it: META is read and chosen from here, then native replays the log. On any
 * refusal the region is closed again and the file left as it was. What this process has open is joined; while another thread opens or
 * closes it, that is waited for.
 * @param created whether this process has just made it
 * @throws SealogError, TypeError (encodings that differ from the store's)
 */
export function recoverStore(engine: Engine, path: string, options: ResolvedOptions, created: boolean): RecoveredStore {
  const patience = new LockPatience(options.waitMs)
  for (;;) {
    const recovered = recoverInTurn(engine, path, options, created, true)
    if (typeof recovered === 'object') return recovered
    if (recovered === 'opening') throw errorFromStatus(Status.Locked, null, { path })
    if (patience.isOver(recovered)) throw lockedError(engine, path)
    patience.sleep()
  }
}

/**
 * One attempt at recoverStore.
 * @param wait if false, it does not wait while another thread opens or closes the store
 * @returns 'opening' while another thread does, or this one itself; 'locked' while another process has the store; 'being read' while
 *   one that reads it is in the way for a moment
 */
export function recoverInTurn(
  engine: Engine,
  path: string,
  options: ResolvedOptions,
  created: boolean,
  wait: boolean,
  unshared = false,
): RecoveredStore | 'opening' | 'locked' | 'being read' {
  for (let attempts = besideWriterAttempts; ; attempts--) {
    const recovered = attempt(engine, path, options, created, { wait, unshared }, attempts <= 1)
    if (recovered !== 'moved') return recovered
  }
}

/** A writer takes a checkpoint every few milliseconds at most; reading META takes less than one. */
const besideWriterAttempts = 100

/** @returns 'moved' if a writer in another process has changed what was to be read, unless this is the last attempt */
function attempt(
  engine: Engine,
  path: string,
  options: ResolvedOptions,
  created: boolean,
  sharing: { readonly wait: boolean; readonly unshared: boolean },
  last: boolean,
): RecoveredStore | 'opening' | 'locked' | 'being read' | 'moved' {
  const startedMs = performance.now()
  const context = { path }
  const handle = engine.openRegion(path, { ...nativeOpenOptions(options), ...sharing })
  if (handle === -Status.Opening) return 'opening'
  if (handle === -Status.Locked) return 'locked'
  if (handle === -Status.BeingRead) return 'being read'
  check(engine, handle, context)
  const facts = engine.sharedFacts(handle)
  if (facts !== null) return joinStore(engine, path, handle, facts, options)
  let besideWriter = false
  try {
    let info = checkObject(engine, engine.regionInfo(handle), context)
    besideWriter = info.besideWriter
    const choice = accept(
      chooseMeta(readAt(engine, path, handle, 0, metaFixedBytes), info.fileBytes, info.readOnly),
      path,
    )
    const codecs = chooseCodecs(choice.superblock, options)
    const plan = accept(
      planStore(choice, readTable(engine, path, handle, choice), { ...options, readOnly: info.readOnly }),
      path,
    )

    if (info.readOnly) check(engine, engine.pinCheckpoint(handle, plan.slot.sequence), context)
    const started = engine.startStore(handle, plan.buffer)
    if (started === -Status.Locked) {
      engine.closeRegion(handle)
      return 'locked'
    }
    check(engine, started, context)
    const replay = besideWriter ? undefined : plan.slot.hot && replayLog(engine, path, handle)
    const end = besideWriter
      ? ({ kind: 'clean' } as const)
      : classifyLog(plan.slot, replay, 2 ** choice.superblock.segmentBytesLog2)
    if (end.kind === 'damaged') throw interiorDamage(path, end)

    if (!info.readOnly && (!choice.alike || choice.excessBytes > 0)) {
      check(engine, engine.settleStore(handle, choice.current), context)
      info = checkObject(engine, engine.regionInfo(handle), context)
    }
    const { report: observed, broken: brokenSeal } = checkSeal(
      engine,
      handle,
      info,
      choice.superblock.uuid,
      choice.seal,
    )
    if (!info.readOnly) {
      const sealSequence = chooseSeal(readAt(engine, path, handle, 0, metaFixedBytes), choice.seed)?.sequence ?? 0
      check(engine, engine.setGrowth(handle, nativeGrowthOptions(options, sealSequence)), context)
    }
    // From here on nothing is written by the descriptor, but when the store grows: in the domain pmem there is no need to.
    if (options.immutable) check(engine, engine.enforceSeal(handle), context)
    const seal = { ...observed, enforced: options.immutable }
    const serveOptions = { lsnJump: end.kind === 'clean' ? 0 : 1, populate: !info.readOnly } as const
    check(engine, engine.serve(handle, { ...serveOptions, asCheckpointed: besideWriter }), context)
    // Invariant I-PIN-5: all that was read up to here belongs to this checkpoint, and no writer has let go of it.
    if (besideWriter && newestCheckpoint(engine, path, handle) !== plan.slot.sequence) {
      engine.closeRegion(handle)
      return 'moved'
    }
    if (info.readOnly && !besideWriter) check(engine, engine.unlockRegion(handle), context)
    const recovery = reportOf(created, end, choice, plan, replay, performance.now() - startedMs)
    const { superblock } = choice
    const openedAtMs = performance.timeOrigin + startedMs
    check(
      engine,
      sharing.unshared
        ? 0
        : engine.shareStore(handle, encodeFacts({ superblock, recovery, seal, openedAtMs }, options)),
      context,
    )
    return { handle, info, superblock, ...codecs, recovery, seal, brokenSeal, options, shared: false, openedAtMs }
  } catch (error) {
    engine.closeRegion(handle)
    // What a writer changes looks damaged while it is changed.
    if (besideWriter && !last && isSealogError(error, 'ERR_SEALOG_CORRUPT')) return 'moved'
    throw error
  }
}

function joinStore(
  engine: Engine,
  path: string,
  handle: Handle,
  bytes: Uint8Array | number,
  options: ResolvedOptions,
): RecoveredStore {
  try {
    const facts = decodeFacts(checkObject(engine, bytes, { path }))
    const { superblock, recovery, seal, openedAtMs, options: open } = facts
    const info = checkObject(engine, engine.regionInfo(handle), { path })
    const codecs = chooseCodecs(superblock, options)
    checkJoin(path, info, open, options)
    const joined = { brokenSeal: undefined, shared: true, openedAtMs }
    return { handle, info, superblock, ...codecs, recovery, seal, options, ...joined }
  } catch (error) {
    engine.closeStore(handle)
    throw error
  }
}

/** The sequence of the newest checkpoint that is whole; 0: there is none. */
export function newestCheckpoint(engine: Engine, path: string, handle: Handle): number {
  const choice = chooseMeta(readAt(engine, path, handle, 0, metaFixedBytes), Infinity, true)
  return choice.ok ? (choice.slots[0]?.sequence ?? 0) : 0
}

function accept<T extends { readonly ok: true }>(result: T | Refusal, path: string): T {
  if (result.ok) return result
  const { status, offset, detail } = result
  throw errorFromStatus(status, { status, errno: 0, syscall: '', offset, detail }, { path, report: { offset, detail } })
}

/** Reads up to `bytes` bytes; fewer at the end of the file. */
function readAt(engine: Engine, path: string, handle: Handle, offset: number, bytes: number): Uint8Array {
  const buffer = new Uint8Array(bytes)
  return buffer.subarray(0, check(engine, engine.readRegion(handle, offset, buffer), { path }))
}

/** The segment table. Its size was checked against the file's by then. */
function readTable(engine: Engine, path: string, handle: Handle, { superblock }: MetaChoice): Uint8Array {
  const bytes = superblock.segmentCount * layoutConstants.kSegmentEntryBytes
  return readAt(engine, path, handle, layoutConstants.kSegmentTableOffset, bytes)
}

function replayLog(engine: Engine, path: string, handle: Handle): ReplayResult {
  const replay = checkObject(engine, engine.replay(handle), { path })
  check(engine, replay.answer, { path })
  return replay
}

function interiorDamage(path: string, end: Extract<LogEnd, { kind: 'damaged' }>): Error {
  const detail = `the log is damaged at offset ${end.offset}, before a record that was committed later (at ${end.laterOffset})`
  const failure = { status: Status.Corrupt, errno: 0, syscall: '', offset: end.offset, detail }
  return errorFromStatus(Status.Corrupt, failure, { path, report: end })
}

function reportOf(
  created: boolean,
  end: LogEnd,
  choice: MetaChoice,
  plan: Plan,
  replay: ReplayResult | undefined,
  durationMs: number,
): RecoveryReport {
  const findings = [...choice.findings, ...plan.findings]
  return {
    outcome: created ? 'created' : end.kind === 'clean' ? 'clean' : 'recovered',
    framesReplayed: replay?.frames ?? 0,
    recordsReplayed: replay?.records ?? 0,
    bytesReplayed: replay?.bytes ?? 0,
    tornAt: end.kind === 'torn' && replay ? end.offset : null,
    discardedRecords: replay?.pending ?? 0,
    usedFallback: findings.length > 0,
    findings: choice.growth === undefined ? findings : [...findings, choice.growth],
    lsn: replay?.lastLsn ?? plan.slot.lsn,
    checkpoint: plan.slot.sequence,
    durationMs,
  }
}

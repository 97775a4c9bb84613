import { randomBytes } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { PackedBatch } from './batch.ts'
import { Catalogue, type NamespaceRecord, structuresKey } from './catalogue.ts'
import { type Key, keyCodec } from './codec/keys.ts'
import {
  check,
  checkObject,
  type Engine,
  type Handle,
  KeyCodecCode,
  loadEngine,
  ValueCodecCode,
} from './engine/engine.ts'
import { errorFromStatus, Status } from './engine/status.ts'
import { isSealogError, SealogError } from './errors.ts'
import { layoutConstants } from './layout/constants.ts'
import { aborted, NativeProgress, runLong } from './long-work.ts'
import { NativeSession } from './native-session.ts'
import { type KeyEncoding, resolveOptions, type ValueEncoding } from './options.ts'
import { nativeCreateOptions } from './options/native.ts'
import { storePath } from './store-path.ts'
import { recoverStore } from './recovery/recover.ts'
import { planSalvage, type SalvagePlan, salvageSuperblock } from './recovery/salvage-plan.ts'
import { runBatch } from './run-batch.ts'
import { readSystemTree } from './system-tree.ts'

const { kKeyBytesMax, kSegmentTableOffset, kSegmentEntryBytes, kSpaceIdBytes, kTreeSpaces, kTreeSystem, kTreeUser } =
  layoutConstants
const pageBytes = 4096
/** How often a larger store is tried, where what was found does not fit. */
const growthsMax = 4

export interface SalvageOptions {
  /** Told every 50 ms of what is done, and of how much: of no unit in particular. */
  readonly onProgress?: (done: number, total: number) => void
  /** Stops it; nothing is left behind. */
  readonly signal?: AbortSignal
  /** Needed where both superblocks are gone, and with them what keys were encoded as; must agree otherwise. */
  readonly keys?: KeyEncoding
  /** As `keys`, for values of the default namespace. */
  readonly encoding?: 'msgpack' | 'json' | 'string' | 'binary' | 'custom'
}

/** Something that could not be used. */
export interface SalvageLoss {
  /**
   * 'record' and 'piece' (of a large value): one entry. 'node': of the index; entries in a range of keys. 'frame': of the log, with
   * LSNs. 'segment': of the log. 'page': refused by the device. 'file': its end is missing. 'superblock', 'slot', 'table': of META, no entries by itself.
   */
  readonly what: 'record' | 'piece' | 'node' | 'frame' | 'segment' | 'page' | 'file' | 'superblock' | 'slot' | 'table'
  /** Bytes from the start of the file. */
  readonly where: number
  /** How many entries are lost with it, at most; 0 where that is not known, or none. */
  readonly entries: number
  readonly detail: string
  /** undefined: the default namespace. null: the store's own; or one whose name is lost. */
  readonly namespace?: string | null
  /** Of the entry, if it can be read. Unverified. */
  readonly key?: Key
  readonly keyHex?: string
  /** The range of keys that is concerned, in hexadecimal digits: from `fromHex` to below `belowHex`, absent: to the end. */
  readonly fromHex?: string
  readonly belowHex?: string
  /** Of the log's frames, first and last. */
  readonly lsns?: readonly [number, number]
}

export interface SalvageReport {
  readonly path: string
  readonly out: string
  /** Nothing is lost, as far as can be known. Pieces of META that have a copy may be damaged. */
  readonly complete: boolean
  /** Entries copied, with those of the store's own. */
  readonly entries: {
    readonly total: number
    /** By the index. */
    readonly byIndex: number
    /** Changed since the checkpoint: from the log's tail. */
    readonly fromTail: number
    /** From the log, without an index: some may have been removed, or be older versions. */
    readonly fromScan: number
  }
  /** Of their keys and values. */
  readonly bytes: number
  /** Frames of the log that were applied behind damage, where recovery would have refused. */
  readonly framesBehindDamage: number
  readonly lost: {
    /** Entries, as far as they could be counted; more where `unknown`. */
    readonly entries: number
    readonly unknown: boolean
    /** How many things `list` would have; it has the first 1000 at most. */
    readonly count: number
    readonly list: readonly SalvageLoss[]
  }
  /** Sequence of the checkpoint that was used; null: none held. */
  readonly checkpoint: number | null
  /** Of the last commit that was found, in the damaged store. Versions are counted anew in the other. */
  readonly lsn: number
  /** Namespaces made for entries whose namespace's name is lost; keys and values are bytes there. */
  readonly namespaces: readonly string[]
  /** In sentences. */
  readonly notes: readonly string[]
}

/** What native reports, as JSON. */
interface NativeReport {
  readonly byIndex: number
  readonly fromTail: number
  readonly fromScan: number
  readonly bytes: number
  readonly lostEntries: number
  readonly losses: number
  readonly unknown: 0 | 1
  readonly framesBehindDamage: number
  readonly lastLsn: number
  readonly spaces: readonly number[]
  readonly listed: readonly NativeLoss[]
}
interface NativeLoss {
  readonly what: SalvageLoss['what']
  readonly where: number
  readonly tree: number
  readonly entries: number
  readonly detail: string
  readonly key?: string
  readonly low?: string
  readonly high?: string
  readonly lsn?: number
  readonly lsnLast?: number
}

const anyEncoding = { encode: (bytes: Uint8Array) => bytes, decode: (bytes: Uint8Array) => bytes }

/**
 * Copies everything that can be read out of a damaged store into a new one, and reports what could not. The damaged file is opened for
 * reading only. The new store is complete and durable when this resolves; before, and after a failure, there is nothing at `out`.
 * @param path of the damaged store, with or without `.sealog`
 * @param out of the new one, as for open; must not exist
 * @throws TypeError for options; SealogError (rejects): ERR_SEALOG_ABSENT, _LOCKED, _EXISTS, _NOT_A_STORE (nothing in it says what it
 *   was), _VERSION, _NO_SPACE, _PERMISSION, _IO, _NO_MEMORY, _ABORTED
 */
export async function salvage(path: string, out: string, options: SalvageOptions = {}): Promise<SalvageReport> {
  const from = existing(path)
  const to = storePath(out)
  const { signal, onProgress } = options
  if (signal?.aborted) throw abortedSalvage(to, signal)
  if (statSync(to, { throwIfNoEntry: false })) throw errorFromStatus(Status.Exists, null, { path: to })
  const engine = loadEngine()
  let plan: SalvagePlan | undefined
  let growth = 1
  for (let attempt = 0; ; attempt++) {
    const source = check(
      engine,
      engine.openRegion(from, {
        readOnly: true,
        anyContent: true,
        durability: 0,
        requireDomain: 0,
        flush: '',
        reserveBytes: 0,
      }),
      { path: from },
    )
    try {
      plan = readPlan(engine, source, from)
    } catch (error) {
      engine.closeRegion(source)
      throw error
    }
    try {
      return await salvageInto({ engine, source, plan, growth, from, to, options, signal, onProgress })
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_FULL') || attempt === growthsMax) throw error
      growth *= 1.5
    }
  }
}

interface Job {
  readonly engine: Engine
  readonly source: Handle
  readonly plan: SalvagePlan
  readonly growth: number
  readonly from: string
  readonly to: string
  readonly options: SalvageOptions
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((done: number, total: number) => void) | undefined
}

async function salvageInto(job: Job): Promise<SalvageReport> {
  const { engine, source, plan, from, to, signal } = job
  // Under another name until it is whole, so that a crash leaves nothing that looks like a store at `to`.
  const temporary = join(
    dirname(to),
    `.${basename(to).slice(0, 180)}.sealog-salvaging-${randomBytes(8).toString('hex')}`,
  )
  const progress = new NativeProgress()
  const capacity = Math.ceil((plan.regionBytes * job.growth) / plan.segmentBytes) * plan.segmentBytes
  const tell = (done: number): void => job.onProgress?.(Math.min(done, 2 * capacity), 2 * capacity)
  let doneBefore = 0
  const tellPart = (): void => {
    const part = progress.total === 0 ? 0 : progress.done / progress.total
    tell(doneBefore + part * capacity)
  }
  return await runLong(tellPart, signal, progress.stop, async () => {
    let open: Handle | undefined = source
    let made: Handle | undefined
    try {
      const resolved = resolveOptions({
        capacity,
        segmentBytes: plan.segmentBytes,
        createIfMissing: true,
        ...encodings(plan, job.options),
      })
      const created = await engine.createStoreAsync(temporary, nativeCreateOptions(resolved, progress.numbers))
      if (created.answer === -Status.Aborted) throw abortedSalvage(to, signal)
      if (created.answer < 0) throw errorFromStatus(-created.answer, created.error, { path: to })
      doneBefore = capacity
      made = recoverStore(engine, temporary, resolved, true).handle
      progress.numbers.fill(0n)
      if (signal?.aborted) throw abortedSalvage(to, signal)
      open = undefined
      const begun = engine.salvageAsync(source, made, plan.buffer, progress.numbers)
      if (typeof begun === 'number') check(engine, begun, { path: to })
      const { answer, error, report: found = '' } = await (begun as Exclude<typeof begun, number>)
      if (answer === -Status.Aborted) throw abortedSalvage(to, signal)
      if (answer < 0) throw errorFromStatus(-answer, error, { path: to })
      const report = finish(engine, made, temporary, JSON.parse(found) as NativeReport, job)
      const closing = made
      made = undefined
      check(engine, engine.closeStore(closing), { path: to })
      check(engine, engine.publishStore(temporary, to), { path: to })
      tell(2 * capacity)
      return report
    } catch (error) {
      if (open !== undefined) engine.closeRegion(open)
      if (made !== undefined) engine.closeRegion(made)
      rmSync(temporary, { force: true })
      throw error instanceof Error && isSealogError(error, 'ERR_SEALOG_ABSENT') && error.path === from
        ? errorFromStatus(Status.Absent, null, { path: from })
        : error
    }
  })
}

/** The file as named, or with `.sealog` behind it. */
function existing(path: string): string {
  const named = storePath(path)
  const asGiven = resolve(path)
  return statSync(asGiven, { throwIfNoEntry: false })?.isFile() === true ? asGiven : named
}

function abortedSalvage(path: string, signal: AbortSignal | undefined): SealogError {
  return aborted(signal, 'The salvage', path, `nothing was left at ${path}, and the damaged store is as it was`)
}

/** @throws SealogError ERR_SEALOG_NOT_A_STORE, _VERSION */
function readPlan(engine: Engine, handle: Handle, path: string): SalvagePlan {
  const { fileBytes } = checkObject(engine, engine.regionInfo(handle), { path })
  const fixed = readPages(engine, handle, Math.min(kSegmentTableOffset, fileBytes))
  const found = salvageSuperblock(fixed)
  if (found.superblock === undefined && found.version !== undefined) {
    throw errorFromStatus(Status.Version, null, { path })
  }
  const known = BigInt(layoutConstants.kFeatureExpiry | layoutConstants.kFeatureCleaning)
  if (found.superblock && (found.superblock.featuresIncompat & ~known) !== 0n)
    throw errorFromStatus(Status.Version, null, { path })
  const guess = found.superblock ? undefined : engine.guessStore(handle)
  if (typeof guess === 'number') check(engine, guess, { path })
  const segmentCount = found.superblock?.segmentCount ?? Math.ceil(fileBytes / layoutConstants.kSegmentBytesMin)
  const metaBytes = Math.min(kSegmentTableOffset + segmentCount * kSegmentEntryBytes, fileBytes)
  const plan = planSalvage(
    readPages(engine, handle, metaBytes),
    fileBytes,
    found,
    typeof guess === 'object' && guess !== null ? guess : undefined,
  )
  if (plan) return plan
  throw new SealogError(
    'ERR_SEALOG_NOT_A_STORE',
    `Nothing can be salvaged from ${path}: neither superblock holds, and no two log segments agree on what the store was`,
    { path },
  )
}

/** The file from its start; pages that the device does not give are zero. */
function readPages(engine: Engine, handle: Handle, bytes: number): Uint8Array {
  const all = new Uint8Array(bytes)
  if (engine.readRegion(handle, 0, all) === bytes) return all
  for (let at = 0; at < bytes; at += pageBytes) {
    const page = all.subarray(at, Math.min(at + pageBytes, bytes))
    if (engine.readRegion(handle, at, page) < 0) page.fill(0)
  }
  return all
}

/** What the new store is created with. @throws TypeError where it is not known, or the options disagree */
function encodings(
  plan: SalvagePlan,
  options: SalvageOptions,
): { readonly keys: KeyEncoding; readonly encoding: ValueEncoding<Uint8Array> } {
  const keys = plan.superblock ? nameOf(KeyCodecCode, plan.superblock.keyCodec) : options.keys
  const encoding = plan.superblock ? nameOf(ValueCodecCode, plan.superblock.valueCodec) : options.encoding
  if (keys === undefined || encoding === undefined) {
    throw new TypeError(
      "Both superblocks are gone, and with them the store's encodings: give the options 'keys' and 'encoding' that it was created with",
    )
  }
  if ((options.keys ?? keys) !== keys)
    throw new TypeError(`Option 'keys' is '${options.keys}', the store's is '${keys}'`)
  if ((options.encoding ?? encoding) !== encoding)
    throw new TypeError(`Option 'encoding' is '${options.encoding}', the store's is '${encoding}'`)
  return { keys, encoding: encoding === 'custom' ? anyEncoding : encoding }
}

function nameOf<N extends string>(codes: Readonly<Record<N, number>>, code: number): N | undefined {
  return (Object.keys(codes) as N[]).find((name) => codes[name] === code)
}

/** What the store's own tree needs to be of use again, and the report. */
function finish(engine: Engine, handle: Handle, path: string, found: NativeReport, job: Job): SalvageReport {
  const { plan } = job
  const session = new NativeSession(engine, handle, path)
  const catalogue = new Catalogue(session)
  const notes: string[] = []
  let namespaces: string[] = []
  const byId = new Map<number, { readonly name: string; readonly record: NamespaceRecord }>()
  try {
    namespaces = catalogue.mend(found.spaces)
    for (const name of catalogue.names()) {
      const record = catalogue.find(name)?.record
      if (record) byId.set(record.id, { name, record })
    }
    const refused = refuseStructures(session, found, [
      ...(plan.superblock?.valueCodec === ValueCodecCode.msgpack || job.options.encoding === 'msgpack' ? [0] : []),
      ...[...byId.values()].flatMap(({ record }) => (record.encoding === 'msgpack' ? [record.born] : [])),
    ])
    if (refused > 0)
      notes.push(
        `The property names of ${refused} namespaces' values are lost; get refuses such values there, getBinary gives their bytes`,
      )
  } catch (error) {
    if (!isSealogError(error, 'ERR_SEALOG_CORRUPT')) throw error
    notes.push("The store's list of namespaces is damaged in a way that its checksums do not show")
  }
  session.markClosed()
  notes.push(...notesOf(found, plan))
  const keys = plan.superblock ? nameOf(KeyCodecCode, plan.superblock.keyCodec) : job.options.keys
  const describe = (loss: NativeLoss): SalvageLoss => ({
    what: loss.what,
    where: loss.where,
    entries: loss.entries,
    detail: loss.detail,
    ...placeOf(loss, keys ?? 'binary', byId),
    ...(loss.low === undefined ? {} : { fromHex: loss.low }),
    ...(loss.high === undefined ? {} : { belowHex: loss.high }),
    ...(loss.lsn === undefined ? {} : { lsns: [loss.lsn, loss.lsnLast ?? loss.lsn] as const }),
  })
  const meta = plan.findings.map((finding) => ({ ...finding, entries: 0 }))
  const unknown = found.unknown === 1 || plan.slot === undefined || plan.findings.some(({ what }) => what === 'file')
  return {
    path: job.from,
    out: job.to,
    complete: !unknown && found.lostEntries === 0 && !found.listed.some(({ what }) => what === 'page'),
    entries: {
      total: found.byIndex + found.fromTail + found.fromScan,
      byIndex: found.byIndex,
      fromTail: found.fromTail,
      fromScan: found.fromScan,
    },
    bytes: found.bytes,
    framesBehindDamage: found.framesBehindDamage,
    lost: {
      entries: found.lostEntries,
      unknown,
      count: meta.length + found.losses,
      list: [...meta, ...found.listed.map(describe)],
    },
    checkpoint: plan.slot?.sequence ?? null,
    lsn: found.lastLsn,
    namespaces,
    notes,
  }
}

function notesOf(found: NativeReport, plan: SalvagePlan): string[] {
  const notes = ['Versions of entries are counted anew']
  if (plan.superblock === undefined) notes.push('Both superblocks are gone: size and seed were found in the log')
  if (plan.slot === undefined) notes.push('Neither checkpoint holds, so there is no index: everything is from the log')
  if (found.fromScan > 0) {
    notes.push(
      `${found.fromScan} entries are from the log without an index: some may have been removed, or be older versions`,
    )
  }
  if (found.framesBehindDamage > 0) {
    notes.push(
      `${found.framesBehindDamage} frames of the log lie behind damage and were applied; what they relied on may be missing`,
    )
  }
  return notes
}

function placeOf(
  { tree, key, what }: NativeLoss,
  keys: KeyEncoding,
  byId: ReadonlyMap<number, { readonly name: string; readonly record: NamespaceRecord }>,
): Pick<SalvageLoss, 'namespace' | 'key' | 'keyHex'> {
  if (what === 'page' || what === 'segment' || (what === 'frame' && key === undefined)) return {}
  const bytes = key === undefined ? undefined : Buffer.from(key, 'hex')
  const named = (encoding: KeyEncoding, at: number): Pick<SalvageLoss, 'key' | 'keyHex'> => {
    if (bytes === undefined || bytes.length <= at || bytes.length > kKeyBytesMax) return {}
    const keyHex = bytes.toString('hex', at)
    try {
      return { key: keyCodec(encoding).decodeKey(bytes, at, bytes.length), keyHex }
    } catch {
      return { keyHex }
    }
  }
  if (tree === kTreeUser) return named(keys, 0)
  if (tree === kTreeSystem) return { namespace: null, ...named('utf8', 0) }
  const space =
    tree === kTreeSpaces && bytes && bytes.length > kSpaceIdBytes ? byId.get(bytes.readUInt32BE(0)) : undefined
  return { namespace: space?.name ?? null, ...named(space?.record.keys ?? 'binary', kSpaceIdBytes) }
}

/**
 * Values refer to lists of property names by number. Where the lists are lost, the next one written would get a number that older values
 * mean something else by; so they are replaced by what every reader refuses.
 * @param born of namespaces with msgpack
 * @returns how many were
 */
function refuseStructures(session: NativeSession, found: NativeReport, born: readonly number[]): number {
  const lost = (key: string): boolean =>
    found.listed.some(
      (loss) =>
        loss.tree === kTreeSystem &&
        (loss.key === key ||
          (loss.key === undefined &&
            loss.low !== undefined &&
            key >= loss.low &&
            (loss.high === undefined || key < loss.high))),
    )
  const batch = new PackedBatch()
  let count = 0
  for (const each of new Set(born)) {
    const key = structuresKey(each)
    if (readSystemTree(session, key, 0) !== undefined || !lost(key.toString('hex'))) continue
    batch.putBytes(kTreeSystem, key, Buffer.from('null'))
    count++
  }
  runBatch(session, batch, 0)
  return count
}

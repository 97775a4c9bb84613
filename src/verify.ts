import { keyCodec, type Key, type KeyCodec } from './codec/keys.ts'
import type { Core } from './core.ts'
import { checkObject, type NativeProblem } from './engine/engine.ts'
import { isSealogError } from './errors.ts'
import { layoutConstants, metaFixedBytes } from './layout/constants.ts'
import { checkLongWork, finished, type LongWorkOptions, throwIfAborted } from './long-work.ts'
import type { NativeSession } from './native-session.ts'
import { checkMeta } from './recovery/check-meta.ts'
import { withPin } from './pin.ts'

const { kTreeUser, kTreeSpaces, kSpaceIdBytes, kSegmentEntryBytes } = layoutConstants

const problemsListed = 1000
const onlyRead = 'the store was only read'

/**
 * What a problem is about: a node's checksum or shape; the order of keys; the number of entries below a node; a fingerprint or tag of a
 * key; a record's checksum; a piece of a large value; the list of times; live bytes or units in the segment table; a bitmap, or a node
 * in use that it has as free; a node's place in use that nothing reaches; a log segment's header (which only tools read); memory that
 * could not be read; META; the list of namespaces.
 */
export type ProblemKind =
  | 'node'
  | 'order'
  | 'count'
  | 'fingerprint'
  | 'record'
  | 'value'
  | 'expiry'
  | 'live'
  | 'bitmap'
  | 'leak'
  | 'log'
  | 'media'
  | 'meta'
  | 'system'

/** Something in the store that is not as it should be. */
export interface VerifyProblem {
  readonly kind: ProblemKind
  /** Bytes from the start of the file: where the damaged thing begins. */
  readonly offset: number
  /** Of the entry that is concerned, where it is known; its bytes if it cannot be decoded. */
  readonly key?: Key
  /** That the key is of, if not the default one. */
  readonly namespace?: string
  readonly detail: string
}

/** What {@link Store.verify} found. */
export interface VerifyReport {
  /** Nothing is wrong. */
  readonly ok: boolean
  /** Of all namespaces, expired ones that are not swept yet and those of the store's own included. */
  readonly entries: number
  readonly nodes: number
  /** Pieces of large values count. */
  readonly records: number
  /** Whose checksum was checked. */
  readonly bytes: number
  /** In the order in which they were met, at most 1000 of them. */
  readonly problems: readonly VerifyProblem[]
  /** All, also those not listed. */
  readonly problemCount: number
  readonly durationMs: number
  readonly bytesPerSecond: number
}

/**
 * Checks everything in the store as it is now, off the event loop, while writing goes on: {@link Store.verify}.
 * @param keys of the default namespace
 */
export async function verifyStore(core: Core, keys: KeyCodec, options: LongWorkOptions): Promise<VerifyReport> {
  checkLongWork(options)
  const { onProgress, signal } = options
  const { session } = core
  const { engine, handle, path } = session
  throwIfAborted(signal, 'Verifying', path, onlyRead)
  const startedMs = performance.now()
  return await withPin(session, async (pin) => {
    const verifier = checkObject(engine, engine.makeVerifier(handle, pin), { path })
    const read = () => checkObject(engine, engine.verifierReport(verifier), { path })
    while ((await finished(engine, engine.stepVerifier(verifier), path)) === 0) {
      throwIfAborted(signal, 'Verifying', path, onlyRead)
      const { bytes, bytesExpected } = read()
      onProgress?.(bytes, Math.max(bytes, bytesExpected))
    }
    session.assertOpen()
    const found = read()
    const others = [...(await metaProblems(session)), ...systemProblems(core)]
    const durationMs = performance.now() - startedMs
    onProgress?.(found.bytes, found.bytes)
    const problemCount = found.problemCount + others.length
    return {
      ok: problemCount === 0,
      entries: found.entries,
      nodes: found.nodes,
      records: found.records,
      bytes: found.bytes,
      problems: [...others, ...describe(core, keys, found.problems)].slice(0, problemsListed),
      problemCount,
      durationMs,
      bytesPerSecond: (found.bytes / Math.max(durationMs, 1e-3)) * 1000,
    }
  })
}

/** Copies of META that do not hold. Those of a store that is written to change under our eyes, so what is wrong must stay so. */
async function metaProblems(session: NativeSession): Promise<VerifyProblem[]> {
  const { engine, handle, path } = session
  let problems: VerifyProblem[] = []
  for (let tries = 0; tries < 5; tries++) {
    session.assertOpen()
    const info = checkObject(engine, engine.regionInfo(handle), { path })
    const read = (offset: number, bytes: number): Uint8Array => {
      const buffer = new Uint8Array(bytes)
      return buffer.subarray(0, Math.max(0, engine.readRegion(handle, offset, buffer)))
    }
    problems = checkMeta(read(0, metaFixedBytes), info, (segments) =>
      read(metaFixedBytes, segments * kSegmentEntryBytes),
    ).map(({ offset, detail }) => ({ kind: 'meta', offset, detail }))
    if (problems.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return problems
}

/** What the list of namespaces says of itself. */
function systemProblems({ catalogue }: Core): VerifyProblem[] {
  const problems: VerifyProblem[] = []
  const attempt = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_CORRUPT')) throw error
      problems.push({ kind: 'system', offset: error.offset ?? 0, detail: error.message })
    }
  }
  const ids = new Map<number, string>()
  attempt(() => {
    for (const name of catalogue.names()) {
      attempt(() => {
        const id = catalogue.find(name)?.record.id
        if (id === undefined) return
        const other = ids.get(id)
        if (other !== undefined) {
          const detail = `the namespaces '${other}' and '${name}' have the same place`
          problems.push({ kind: 'system', offset: 0, detail })
        }
        ids.set(id, name)
      })
    }
  })
  return problems
}

/** With keys as the caller knows them. */
function describe(core: Core, keys: KeyCodec, problems: readonly NativeProblem[]): VerifyProblem[] {
  let spaces: Map<number, { name: string; keys: KeyCodec }> | undefined
  return problems.map(({ kind, offset, detail, tree, key }) => {
    const problem = { kind: kind as ProblemKind, offset, detail }
    if (key === undefined) return problem
    try {
      if (tree === kTreeUser) return { ...problem, key: keys.decodeKey(key, 0, key.length) }
      if (tree === kTreeSpaces && key.length > kSpaceIdBytes) {
        spaces ??= spacesOf(core)
        const space = spaces.get(key.readUInt32BE(0))
        if (space !== undefined) {
          return { ...problem, key: space.keys.decodeKey(key, kSpaceIdBytes, key.length), namespace: space.name }
        }
      }
    } catch {
      // Its bytes say more than nothing.
    }
    return { ...problem, key }
  })
}

function spacesOf({ catalogue }: Core): Map<number, { name: string; keys: KeyCodec }> {
  const spaces = new Map<number, { name: string; keys: KeyCodec }>()
  for (const name of catalogue.names()) {
    const record = catalogue.find(name)?.record
    if (record !== undefined) spaces.set(record.id, { name, keys: keyCodec(record.keys) })
  }
  return spaces
}

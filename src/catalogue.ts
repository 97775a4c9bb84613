import { PackedBatch } from './batch.ts'
import { runBatch, runToldBatch } from './run-batch.ts'
import { Meta } from './engine/buffers.ts'
import { RangeFlag, Space } from './engine/engine.ts'
import { SealogError } from './errors.ts'
import { layoutConstants } from './layout/constants.ts'
import type { NativeSession } from './native-session.ts'
import type { KeyEncoding, NamedEncoding } from './options.ts'
import { readSystemTree } from './system-tree.ts'

const { kTreeSystem } = layoutConstants
const namesPrefix = 'namespace/'
const garbagePrefix = 'garbage/'
const nextIdKey = 'namespaces/next'
const nameBytesMax = 512
/** Codes of namespaces are 4 * id + 3 at most, and the boundary counts them in 32 bits. */
const idMax = 2 ** 29

/** A namespace as the store knows it. */
export interface NamespaceRecord {
  readonly id: number
  /** The first of its ids: what belongs to its codec is kept by it, and stays when it is cleared. */
  readonly born: number
  readonly keys: KeyEncoding
  readonly encoding: NamedEncoding | 'custom'
  readonly ttlMs?: number
}

/** A record with the version of its entry: it changes when the namespace is cleared or dropped. */
export interface CataloguedNamespace {
  readonly record: NamespaceRecord
  readonly version: number
}

/**
 * The namespaces of a store, in its system tree, as JSON: `namespace/<name>`, `namespaces/next` (the next id; none is used twice), and
 * `garbage/<id>` for what is still to be removed. Nothing of it is read before it is asked for.
 */
export class Catalogue {
  readonly #session: NativeSession

  constructor(session: NativeSession) {
    this.#session = session
  }

  /** The namespace of this name, as of a snapshot (0: now). */
  find(name: string, snapshot = 0): CataloguedNamespace | undefined {
    const found = readSystemTree(this.#session, nameKey(name), snapshot)
    return found && { record: parse(found.bytes, isNamespace), version: found.version }
  }

  names(): string[] {
    return this.#keys(namesPrefix, Infinity).map((key) => key.slice(namesPrefix.length))
  }

  /** Makes a namespace. Durable on return. @throws SealogError */
  create(name: string, options: Omit<NamespaceRecord, 'id' | 'born'>): CataloguedNamespace {
    const batch = new PackedBatch()
    batch.checkBytes(kTreeSystem, nameKey(name), 0)
    const id = this.#newId(batch)
    const record = { id, born: id, ...options }
    batch.putBytes(kTreeSystem, nameKey(name), encode(record))
    const version = this.#commit(batch)
    // Somebody else was quicker.
    return version === undefined ? (this.find(name) ?? this.create(name, options)) : { record, version }
  }

  /** Moves a namespace to a new id, where nothing is; what it had becomes garbage. Durable on return. */
  renew(name: string, current: CataloguedNamespace): CataloguedNamespace | undefined {
    const batch = new PackedBatch()
    batch.checkBytes(kTreeSystem, nameKey(name), current.version)
    const record = { ...current.record, id: this.#newId(batch) }
    batch.putBytes(kTreeSystem, nameKey(name), encode(record))
    this.#discard(batch, current.record.id)
    const version = this.#commit(batch)
    return version === undefined ? undefined : { record, version }
  }

  /** Takes a namespace out; what it had becomes garbage. @returns false if it is not the one given any more */
  remove(name: string, current: CataloguedNamespace): boolean {
    const batch = new PackedBatch()
    batch.checkBytes(kTreeSystem, nameKey(name), current.version)
    batch.delBytes(kTreeSystem, nameKey(name))
    batch.delBytes(kTreeSystem, structuresKey(current.record.born))
    this.#discard(batch, current.record.id)
    return this.#commit(batch) !== undefined
  }

  /** That the namespace is the one given still: a condition of a commit. */
  checkUnchanged(batch: PackedBatch, name: string, { version }: CataloguedNamespace): void {
    batch.checkBytes(kTreeSystem, nameKey(name), version)
  }

  /** The id of something that is to be removed, if there is anything. */
  garbage(): number | undefined {
    const [key] = this.#keys(garbagePrefix, 1)
    const id = Number(key?.slice(garbagePrefix.length))
    return Number.isSafeInteger(id) && id > 0 && id < idMax ? id : undefined
  }

  /** All of those, for salvage. */
  garbageIds(): number[] {
    return this.#keys(garbagePrefix, Infinity)
      .map((key) => Number(key.slice(garbagePrefix.length)))
      .filter((id) => Number.isSafeInteger(id) && id > 0 && id < idMax)
  }

  /**
   * After a salvage: no id from the list is given out again, and entries behind ids that no namespace has get one, `salvaged/<id>`, with
   * keys and values as bytes. @param spaces ids that have entries @returns names that were made
   */
  mend(spaces: readonly number[]): string[] {
    const named = this.names().flatMap((name) => {
      const record = this.find(name)?.record
      return record ? [record.id, record.born] : []
    })
    const garbage = this.garbageIds()
    const key = Buffer.from(nextIdKey)
    const found = readSystemTree(this.#session, key, 0)
    const next = found === undefined ? 1 : parse(found.bytes, isId)
    const least = Math.max(0, ...named, ...garbage, ...spaces.filter((id) => id < idMax)) + 1
    const batch = new PackedBatch()
    if (next < least) batch.putBytes(kTreeSystem, key, encode(least))
    const orphans = spaces.filter((id) => id > 0 && id < idMax && !named.includes(id) && !garbage.includes(id))
    for (const id of orphans) {
      const record = { id, born: id, keys: 'binary', encoding: 'binary' } as const
      batch.putBytes(kTreeSystem, nameKey(`salvaged/${id}`), encode(record satisfies NamespaceRecord))
    }
    runBatch(this.#session, batch, 0)
    return orphans.map((id) => `salvaged/${id}`)
  }

  /** It is removed. */
  forget(batch: PackedBatch, id: number): void {
    batch.delBytes(kTreeSystem, garbageKey(id))
  }

  /** As runToldBatch; whoever listens is told when the caller is done with it. */
  #commit(batch: PackedBatch): number | undefined {
    const session = this.#session
    const version = runToldBatch(session, batch, 0)
    const { told } = batch
    if (told && version !== undefined) {
      queueMicrotask(() => {
        session.telling.committed(session, 'system', told)
      })
    }
    return version
  }

  #discard(batch: PackedBatch, id: number): void {
    batch.putBytes(kTreeSystem, garbageKey(id), encode({}))
  }

  /** Takes the next id; the commit fails if somebody else has taken it. */
  #newId(batch: PackedBatch): number {
    const key = Buffer.from(nextIdKey)
    const found = readSystemTree(this.#session, key, 0)
    const id = found === undefined ? 1 : parse(found.bytes, isId)
    if (id >= idMax) {
      throw new SealogError(
        'ERR_SEALOG_FULL',
        `The store has used up its ${idMax} ids of namespaces; copy what it holds into a new one`,
      )
    }
    batch.checkBytes(kTreeSystem, key, found?.version ?? 0)
    batch.putBytes(kTreeSystem, key, encode(id + 1))
    return id
  }

  /** Keys of the system tree that begin with `prefix`, in order. */
  #keys(prefix: string, limit: number): string[] {
    const session = this.#session
    session.assertOpen()
    const { engine, handle, write, meta } = session
    const block = Buffer.allocUnsafe(64 * 1024)
    const keys: string[] = []
    // The key behind all of them: '/' and '0' are neighbours.
    const high = Buffer.from(`${prefix.slice(0, -1)}0`)
    let low = Buffer.from(prefix)
    let flags: number = RangeFlag.HasHigh | RangeFlag.NoValues
    for (;;) {
      low.copy(write)
      high.copy(write, low.length)
      const wanted = Math.min(limit - keys.length, 512)
      const count = engine.rangeFill(handle, 0, low.length, high.length, flags, wanted, block, Space.System, 0)
      if (count < 0) throw session.failure(count)
      const snapshot = meta[Meta.RangeSnapshot] ?? 0
      if (snapshot !== 0) engine.releaseSnapshot(handle, snapshot)
      const done = meta[Meta.RangeDone] === 1
      let at = 0
      for (let i = 0; i < count; i++) {
        const keyBytes = block.readUInt16LE(at)
        keys.push(block.toString('utf8', at + 16, at + 16 + keyBytes))
        at = (at + 16 + keyBytes + 7) & ~7
      }
      if (done || keys.length >= limit) return keys
      low = Buffer.from(keys.at(-1) ?? prefix)
      flags |= RangeFlag.LowExclusive
    }
  }
}

/** Where the shared structures of a namespace's values are: src/codec/structures.ts. The default namespace was born as 0. */
export function structuresKey(born: number): Buffer {
  return Buffer.from(born === 0 ? 'msgpackr/structures' : `msgpackr/structures/${born}`)
}

/** @throws TypeError, RangeError for what cannot be the name of a namespace */
export function checkName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed())
    throw new TypeError("A namespace's name must be a non-empty, well-formed string")
  if (Buffer.byteLength(name) > nameBytesMax)
    throw new RangeError(`A namespace's name must be of at most ${nameBytesMax} bytes in UTF-8`)
  return name
}

function nameKey(name: string): Buffer {
  return Buffer.from(namesPrefix + name)
}

function garbageKey(id: number): Buffer {
  return Buffer.from(`${garbagePrefix}${id}`)
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function parse<T>(bytes: Buffer, is: (value: unknown) => value is T): T {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    value = undefined
  }
  if (is(value)) return value
  throw new SealogError(
    'ERR_SEALOG_CORRUPT',
    "The store's list of namespaces is damaged; restore the store from a copy, it was left as it is",
  )
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= idMax
}

function isNamespace(value: unknown): value is NamespaceRecord {
  if (typeof value !== 'object' || value === null) return false
  const { id, born, keys, encoding, ttlMs } = value as Record<string, unknown>
  return (
    isId(id) &&
    isId(born) &&
    ['ordered', 'utf8', 'binary'].includes(keys as string) &&
    ['msgpack', 'json', 'string', 'binary', 'custom'].includes(encoding as string) &&
    (ttlMs === undefined || (typeof ttlMs === 'number' && ttlMs > 0))
  )
}

/** How long an entry lives. One of the two at most; without, a namespace's default. */
export interface ExpiryOptions {
  /** Milliseconds from now, more than 0; Infinity: for ever, whatever the namespace's default. */
  readonly ttl?: number | undefined
  /** A time of the wall clock: a Date, or Unix milliseconds. */
  readonly expiresAt?: Date | number | undefined
}

/** What must be so for a write to be made. One of the two at most. */
export interface Condition {
  /** The entry is still in this version: {@link VersionedValue.version}. */
  readonly ifVersion?: number | undefined
  /** There is no entry. */
  readonly ifNoExists?: boolean | undefined
}

export type PutOptions = ExpiryOptions & Condition
export type RemoveOptions = Pick<Condition, 'ifVersion'>

const putOptionNames: readonly string[] = ['ttl', 'expiresAt', 'ifVersion', 'ifNoExists']

/** @throws TypeError for what is no object, or has unknown properties */
export function checkPutOptions(options: object, names = putOptionNames): void {
  if (typeof options !== 'object' || (options as unknown) === null) throw new TypeError('Options must be an object')
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`Unknown option '${name}'`)
  }
}

/** @throws TypeError for what is no AbortSignal */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new TypeError("Option 'signal' must be an AbortSignal")
}

/**
 * When an entry expires, in Unix milliseconds; undefined: never.
 * @param defaultMs of the namespace
 * @throws TypeError, RangeError
 */
export function expiryOf({ ttl, expiresAt }: ExpiryOptions, defaultMs: number | undefined): number | undefined {
  if (ttl !== undefined && expiresAt !== undefined) throw new TypeError("Options 'ttl' and 'expiresAt' conflict")
  if (expiresAt !== undefined) {
    const time = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt
    if (typeof time !== 'number') throw new TypeError("Option 'expiresAt' must be a Date or a number")
    if (!Number.isFinite(time) || time < 0 || time > Number.MAX_SAFE_INTEGER)
      throw new RangeError("Option 'expiresAt' must be a time in Unix milliseconds")
    return Math.ceil(time)
  }
  const lifeMs = ttl === undefined ? defaultMs : checkTtl(ttl)
  return lifeMs === undefined || lifeMs === Infinity ? undefined : Math.ceil(Date.now() + lifeMs)
}

/** The options that leave an entry the time that it has. */
export function keepingExpiry(expiresAt: number | undefined): ExpiryOptions {
  return expiresAt === undefined ? { ttl: Infinity } : { expiresAt }
}

/** @throws TypeError, RangeError for what is no time to live */
export function checkTtl(ttl: unknown): number {
  if (typeof ttl !== 'number') throw new TypeError("Option 'ttl' must be a number of milliseconds")
  if (!(ttl > 0) || (ttl !== Infinity && Date.now() + ttl > Number.MAX_SAFE_INTEGER))
    throw new RangeError("Option 'ttl' must be a number of milliseconds greater than 0")
  return ttl
}

/**
 * The version that the entry must have; 0: there must be none; undefined: no condition.
 * @throws TypeError, RangeError
 */
export function expectedVersion({ ifVersion, ifNoExists }: Condition): number | undefined {
  if (ifNoExists !== undefined && typeof ifNoExists !== 'boolean')
    throw new TypeError("Option 'ifNoExists' must be a boolean")
  if (ifVersion === undefined) return ifNoExists === true ? 0 : undefined
  if (ifNoExists === true) throw new TypeError("Options 'ifVersion' and 'ifNoExists' conflict")
  if (typeof ifVersion !== 'number') throw new TypeError("Option 'ifVersion' must be a number")
  if (!Number.isSafeInteger(ifVersion) || ifVersion <= 0)
    throw new RangeError("Option 'ifVersion' must be the version of an entry, which is greater than 0")
  return ifVersion
}

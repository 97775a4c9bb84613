/** What a {@link SealogError} can be about. Codes are stable: programs may compare them. docs/errors.md explains each. */
export type SealogErrorCode =
  | 'ERR_SEALOG_CLOSED'
  | 'ERR_SEALOG_READONLY'
  | 'ERR_SEALOG_LOCKED'
  | 'ERR_SEALOG_FULL'
  | 'ERR_SEALOG_KEY_TOO_LARGE'
  | 'ERR_SEALOG_VALUE_TOO_LARGE'
  | 'ERR_SEALOG_POISONED'
  | 'ERR_SEALOG_MEDIA'
  | 'ERR_SEALOG_CORRUPT'
  | 'ERR_SEALOG_NOT_A_STORE'
  | 'ERR_SEALOG_VERSION'
  | 'ERR_SEALOG_TRUNCATED'
  | 'ERR_SEALOG_IO'
  | 'ERR_SEALOG_NO_MEMORY'
  | 'ERR_SEALOG_ABORTED'
  | 'ERR_SEALOG_EXISTS'
  | 'ERR_SEALOG_NOT_REGULAR'
  | 'ERR_SEALOG_LINKED'
  | 'ERR_SEALOG_REQUIRE'
  | 'ERR_SEALOG_NO_SPACE'
  | 'ERR_SEALOG_PERMISSION'
  | 'ERR_SEALOG_UNSUPPORTED'
  | 'ERR_SEALOG_ABSENT'
  | 'ERR_SEALOG_CONFLICT'
  | 'ERR_SEALOG_TRANSACTION'
  | 'ERR_SEALOG_OVERFLOW'
  | 'ERR_SEALOG_FORKED'
  | 'ERR_SEALOG_CAPACITY'
  | 'ERR_SEALOG_INTERNAL'

/** Where and why, as far as it is known. */
export interface SealogErrorDetails {
  /** Of the store file. */
  readonly path?: string | undefined
  /** Bytes from the start of the file. */
  readonly offset?: number | undefined
  /** The number of the failed system call's error, negative as in Node's own errors; absent if no system call failed. */
  readonly errno?: number | undefined
  /** Name of the failed system call. */
  readonly syscall?: string | undefined
  /** What was found, for a program: a recovery finding, for example. */
  readonly report?: unknown
  readonly cause?: unknown
}

/**
 * An expected refusal: the store could not do what was asked, and the caller could not have known. A caller's mistake is a
 * plain `TypeError` or `RangeError` instead.
 */
export class SealogError extends Error {
  override readonly name = 'SealogError'
  readonly code: SealogErrorCode
  declare readonly path?: string
  declare readonly offset?: number
  declare readonly errno?: number
  declare readonly syscall?: string
  declare readonly report?: unknown

  constructor(code: SealogErrorCode, message: string, details: SealogErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    for (const name of ['path', 'offset', 'errno', 'syscall', 'report'] as const) {
      const value = details[name]
      if (value !== undefined) Object.defineProperty(this, name, { value, enumerable: true })
    }
  }
}

/** Narrows an unknown error to a SealogError, of any code or of the one given. */
export function isSealogError(error: unknown, code?: SealogErrorCode): error is SealogError {
  return error instanceof SealogError && (code === undefined || error.code === code)
}

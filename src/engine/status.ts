import { SealogError, type SealogErrorCode } from '../errors.ts'

/** What native calls answer, negated: the same list as native/base/status.h, compared with it when the addon is loaded. */
export const Status = {
  Ok: 0,
  NotFound: 1,
  ValueOutside: 2,
  KeyNeedsEncoding: 3,
  Closed: 10,
  ReadOnly: 11,
  Locked: 12,
  Full: 13,
  KeyTooLarge: 14,
  ValueTooLarge: 15,
  Poisoned: 16,
  Media: 17,
  Corrupt: 18,
  NotAStore: 19,
  Version: 20,
  Truncated: 21,
  Io: 22,
  NoMemory: 23,
  Invalid: 24,
  Aborted: 25,
  Exists: 26,
  NotRegular: 27,
  Linked: 28,
  Require: 29,
  NoSpace: 30,
  Permission: 31,
  Unsupported: 32,
  Absent: 33,
  Conflict: 34,
  Opening: 35,
  Forked: 36,
  BeingRead: 37,
  Capacity: 40,
} as const
export type Status = (typeof Status)[keyof typeof Status]

/** Native details of a failed call, from `lastError()`. */
export interface Failure {
  readonly status: number
  /** errno, positive; 0 if no system call failed. */
  readonly errno: number
  readonly syscall: string
  /** Bytes into the file, 0 where that means nothing. */
  readonly offset: number
  /** A sentence without a full stop, or ''. */
  readonly detail: string
}

/** What the caller of a native function knows about it. */
export interface FailureContext {
  readonly path?: string | undefined
  readonly report?: unknown
  readonly cause?: unknown
}

/** Code, what happened, and what to do about it. */
const meanings: Readonly<Record<number, readonly [code: SealogErrorCode, what: string, remedy: string]>> = {
  [Status.Closed]: ['ERR_SEALOG_CLOSED', 'The store is closed', 'open it again before using it'],
  [Status.ReadOnly]: ['ERR_SEALOG_READONLY', 'The store is open read-only', 'open it without readOnly to write'],
  [Status.Locked]: [
    'ERR_SEALOG_LOCKED',
    'The store is open elsewhere',
    'close it in the other process or thread, or wait until that ends',
  ],
  [Status.Full]: [
    'ERR_SEALOG_FULL',
    'The store is full',
    'remove entries, or copy the store into one of greater capacity; what is in it is intact and removing still works',
  ],
  [Status.KeyTooLarge]: ['ERR_SEALOG_KEY_TOO_LARGE', 'The key is too large', 'keep encoded keys within 1984 bytes'],
  [Status.ValueTooLarge]: ['ERR_SEALOG_VALUE_TOO_LARGE', 'The value is too large', 'split it over several keys'],
  [Status.Poisoned]: [
    'ERR_SEALOG_POISONED',
    'An earlier durable write failed, so nothing more can be promised',
    'close the store and open it again: recovery finds what is durable',
  ],
  [Status.Media]: [
    'ERR_SEALOG_MEDIA',
    'The file could not be read or written where it is mapped (truncated by another program, or a media error)',
    'check the device and the file size, then restore the store from a copy',
  ],
  [Status.Corrupt]: ['ERR_SEALOG_CORRUPT', 'The store is damaged', 'restore it from a copy; it was left as it is'],
  [Status.NotAStore]: [
    'ERR_SEALOG_NOT_A_STORE',
    'The file is not a Sealog store',
    'check the path; Sealog never overwrites a file that it did not make',
  ],
  [Status.Version]: [
    'ERR_SEALOG_VERSION',
    'The store was written by a newer version of Sealog',
    'upgrade the sealog package',
  ],
  [Status.Truncated]: [
    'ERR_SEALOG_TRUNCATED',
    'The file is shorter than the store that it holds',
    'restore it from a complete copy',
  ],
  [Status.Io]: ['ERR_SEALOG_IO', 'A system call failed', 'see errno and syscall of this error, and the system log'],
  [Status.NoMemory]: [
    'ERR_SEALOG_NO_MEMORY',
    'There is not enough memory or address space',
    'free some, or raise the limit (ulimit -v)',
  ],
  [Status.Aborted]: [
    'ERR_SEALOG_ABORTED',
    'The work was aborted',
    'what was complete by then stays; try again at will',
  ],
  [Status.Exists]: [
    'ERR_SEALOG_EXISTS',
    'The path is taken',
    'open what is there (without errorIfExists), or choose another path',
  ],
  [Status.NotRegular]: [
    'ERR_SEALOG_NOT_REGULAR',
    'The path is not a regular file',
    'name the store file itself: not a directory, a symbolic link or a device',
  ],
  [Status.Linked]: [
    'ERR_SEALOG_LINKED',
    'The file has more than one hard link',
    'remove the other links (ls -i shows the inode); a store needs exactly one name',
  ],
  [Status.Require]: [
    'ERR_SEALOG_REQUIRE',
    'The persistence domain here is weaker than required',
    'run `npx sealog doctor` on the directory, use another one, or ask for less with the option require',
  ],
  [Status.NoSpace]: [
    'ERR_SEALOG_NO_SPACE',
    'The file system has no room for the store',
    'free space or raise the quota, or create it with a smaller capacity',
  ],
  [Status.Permission]: [
    'ERR_SEALOG_PERMISSION',
    'The system does not permit that',
    'check the owner and mode of the file and its directory, and whether the file system is read-only',
  ],
  [Status.Unsupported]: [
    'ERR_SEALOG_UNSUPPORTED',
    'That is not supported here',
    'run `npx sealog doctor` on the directory to see what is',
  ],
  [Status.Absent]: [
    'ERR_SEALOG_ABSENT',
    'There is no store at the path',
    'check the path, or open without readOnly and with createIfMissing to create one',
  ],
  [Status.Conflict]: [
    'ERR_SEALOG_CONFLICT',
    'Something that the transaction has read was changed meanwhile',
    'run it again, with more retries, or make it shorter',
  ],
  [Status.Forked]: [
    'ERR_SEALOG_FORKED',
    'The store was opened by the process that this one was forked from',
    'open it in this process, when the other has closed it; nothing that was tried here has reached the file',
  ],
  [Status.Capacity]: [
    'ERR_SEALOG_CAPACITY',
    'The store cannot grow that far',
    'grow it by less; what is said of addresses is decided anew when it is opened again, what is said of the table when it is created',
  ],
}

const internal = [
  'ERR_SEALOG_INTERNAL',
  'Sealog broke one of its own rules',
  'please report this with the message',
] as const

/**
 * The one place where a native status becomes an error to throw.
 * @param status of the call, positive, as in {@link Status}
 * @param failure what `lastError()` said, if it was asked
 */
export function errorFromStatus(status: number, failure?: Failure | null, context: FailureContext = {}): SealogError {
  const [code, what, remedy] = meanings[status] ?? internal
  const subject = context.path === undefined ? '' : ` (${context.path})`
  const detail = failure?.detail ? `: ${failure.detail}` : code === internal[0] ? `: native status ${status}` : ''
  const failed = failure?.syscall ? ` [${failure.syscall} failed with errno ${failure.errno}]` : ''
  return new SealogError(code, `${what}${subject}${detail}${failed}; ${remedy}`, {
    path: context.path,
    report: context.report,
    cause: context.cause,
    ...(failure?.syscall ? { syscall: failure.syscall } : {}),
    ...(failure?.errno ? { errno: -failure.errno } : {}),
    ...(failure?.offset ? { offset: failure.offset } : {}),
  })
}

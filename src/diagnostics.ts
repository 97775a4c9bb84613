import { type Channel, channel } from 'node:diagnostics_channel'
import type { Domain } from './engine/engine.ts'
import type { BrokenSeal, RecoveryReport, SealReport } from './recovery/report.ts'

// Looked up once, at load, as Node recommends: to ask a channel whether anybody listens is then next to nothing.
export const openChannel = channel('sealog:open')
export const recoveryChannel = channel('sealog:recovery')
export const commitChannel = channel('sealog:commit')
export const checkpointChannel = channel('sealog:checkpoint')
export const sealBrokenChannel = channel('sealog:seal-broken')
export const poisonChannel = channel('sealog:poison')

/** `sealog:open`: `open` or `openAsync` has ended, with a store or, where there is `error`, without. */
export type OpenMessage = OpenedMessage | OpenFailedMessage

export interface OpenedMessage {
  /** Of the store file, as `db.path`. */
  readonly path: string
  /** With waiting for locks, creation and recovery. */
  readonly durationMs: number
  readonly readOnly: boolean
  readonly error?: undefined
  /** Whether the file was made by this call. */
  readonly created: boolean
  /** Whether the store was open in this process already, and has been joined. */
  readonly shared: boolean
  readonly domain: Domain
  /** The seal's level as of the open that was not shared. */
  readonly seal: SealReport['level']
}

export interface OpenFailedMessage {
  readonly path: string
  readonly durationMs: number
  readonly readOnly: boolean
  /** What `open` throws, or `openAsync` rejects with. */
  readonly error: unknown
}

/** `sealog:recovery`: the store was read from its file, by an open that was not shared or by a `refresh` that has found something newer. */
export interface RecoveryMessage extends RecoveryReport {
  readonly path: string
  readonly by: 'open' | 'refresh'
}

/**
 * Which call a durable commit was. 'group': all that was written with promises, or by the store's own removing of what has expired, up to
 * a moment. 'system': a namespace was made, cleared or dropped.
 */
export type CommitKind = 'put' | 'remove' | 'batch' | 'increment' | 'clear' | 'transaction' | 'system' | 'group'

/** `sealog:commit`: something that was written is durable, as far as the domain goes. */
export interface CommitMessage {
  readonly path: string
  readonly kind: CommitKind
  /** Puts and removes. */
  readonly operations: number
  /** Of keys and values, encoded; a range or namespace that is cleared names no keys, and counts 0. */
  readonly bytes: number
  /** Of a synchronous call, that it was in the engine, to log, to index and to make durable; of a group, that this has waited for durability. */
  readonly durationMs: number
}

/** `sealog:checkpoint`: checkpoints have become durable since the message before; one, as a rule. */
export interface CheckpointMessage {
  readonly path: string
  /** Of the newest one. */
  readonly sequence: number
  readonly count: number
  /** That writing took, in all. */
  readonly durationMs: number
  /** Cache lines written back, 64 bytes each, in all. */
  readonly bytes: number
}

/** `sealog:seal-broken`: the block map was found worse than it had been recorded. */
export interface SealBrokenMessage extends BrokenSeal {
  readonly path: string
  readonly by: 'open' | 'refresh' | 'growth'
  /** What came of it, as in `db.seal`; 'unverified': it is still so. */
  readonly verified: SealReport['verified']
}

/** `sealog:poison`: a durable write has failed, and all later ones are refused. Once for a store and thread. */
export interface PoisonMessage {
  readonly path: string
  /** A SealogError, ERR_SEALOG_POISONED; its cause is what failed. */
  readonly error: Error
}

const delivering = new Set<Channel>()

/**
 * Tells subscribers, before it returns. What they do meanwhile is not told on the same channel, so that one who writes when it is told of a
 * write ends. What they throw goes to the process as an uncaught exception, by Node, and not to the caller.
 * @returns false if nobody was told for that reason
 */
export function publish(to: Channel, message: object): boolean {
  if (delivering.has(to)) return false
  delivering.add(to)
  try {
    to.publish(message)
  } finally {
    delivering.delete(to)
  }
  return true
}

/** Whether this is done by a subscriber that is being told of a commit. */
export function tellingCommit(): boolean {
  return delivering.has(commitChannel)
}

// Not exported, since V8 takes a constant for one only within its module: 0.1 ns then for the two questions, 2 ns otherwise.
const [commits, checkpoints] = [commitChannel, checkpointChannel]

/** Whether commits, or the checkpoints that come of them, are of interest to anybody: asked at every write. */
export function commitsWanted(): boolean {
  return commits.hasSubscribers || checkpoints.hasSubscribers
}

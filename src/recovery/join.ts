import { deserialize, serialize } from 'node:v8'
import { DomainCode, type RegionInfo } from '../engine/engine.ts'
import { errorFromStatus, Status } from '../engine/status.ts'
import { SealogError } from '../errors.ts'
import type { Superblock } from '../layout/superblock.ts'
import type { ResolvedOptions } from '../options.ts'
import type { RecoveryReport, SealReport } from './report.ts'

/** Options that are the store's, not a handle's: the first opener's are for all. */
const sharedOptions = ['durability', 'flush', 'immutable', 'autoGrow', 'checkpointBytes'] as const
const optionNames: Readonly<Record<string, string>> = { immutable: 'seal.immutable' }

/** What the opener of a store tells those who open it again in this process. */
export interface SharedFacts {
  readonly superblock: Superblock
  readonly recovery: RecoveryReport
  readonly seal: SealReport
  readonly openedAtMs: number
  readonly options: Pick<ResolvedOptions, 'readOnly' | (typeof sharedOptions)[number]>
}

export function encodeFacts(facts: Omit<SharedFacts, 'options'>, options: ResolvedOptions): Uint8Array {
  const { readOnly, durability, flush, immutable, autoGrow, checkpointBytes } = options
  return serialize({ ...facts, options: { readOnly, durability, flush, immutable, autoGrow, checkpointBytes } })
}

export function decodeFacts(bytes: Uint8Array): SharedFacts {
  return deserialize(bytes) as SharedFacts
}

/**
 * Whether a store that is open may be opened with these options as well. A handle that only reads may differ in what concerns writing.
 * @throws SealogError ERR_SEALOG_LOCKED, with `report` { option, open, asked }; ERR_SEALOG_REQUIRE
 */
export function checkJoin(path: string, info: RegionInfo, open: SharedFacts['options'], asked: ResolvedOptions): void {
  if (DomainCode[info.domain] < DomainCode[asked.require]) {
    const detail = `the file is in the domain ${info.domain}, ${asked.require} is required`
    throw errorFromStatus(
      Status.Require,
      { status: Status.Require, errno: 0, syscall: '', offset: 0, detail },
      { path },
    )
  }
  if (asked.readOnly) return
  if (open.readOnly) throw conflict(path, 'readOnly', true, false)
  for (const name of sharedOptions) {
    if (JSON.stringify(open[name]) !== JSON.stringify(asked[name])) {
      throw conflict(path, optionNames[name] ?? name, open[name], asked[name])
    }
  }
}

function conflict(path: string, option: string, open: unknown, asked: unknown): SealogError {
  const shown = (value: unknown): string => (value === undefined ? 'not given' : JSON.stringify(value))
  return new SealogError(
    'ERR_SEALOG_LOCKED',
    `The store is open in this process with another option '${option}' (${path}): ${shown(open)}, not ${shown(asked)}; open it with the same, or close it in all threads first`,
    { path, report: { option, open, asked } },
  )
}

import type { Catalogue } from './catalogue.ts'
import type { ChangeFeed } from './change-feed.ts'
import { SealogError } from './errors.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Janitor } from './janitor.ts'
import type { NativeSession } from './native-session.ts'
import type { WriteGate } from './write-gate.ts'

/** What all namespaces, snapshots and transactions of an open store share. */
export interface Core {
  readonly session: NativeSession
  readonly commits: GroupCommit
  readonly catalogue: Catalogue
  readonly gate: WriteGate
  readonly feed: ChangeFeed
  readonly janitor: Janitor
  /** Whether the store's format has times to live: those made by 0.1 have not. */
  readonly expires: boolean
}

/** @throws SealogError ERR_SEALOG_UNSUPPORTED if the store cannot have entries that expire */
export function assertExpires(core: Core): void {
  if (core.expires) return
  throw new SealogError(
    'ERR_SEALOG_UNSUPPORTED',
    'The store was made by a version that has no times to live; copy what it holds into a new one to use them',
    { path: core.session.path },
  )
}

/** Says that an entry will expire at this time. @throws SealogError ERR_SEALOG_UNSUPPORTED if the store cannot have such entries */
export function expectExpiry(core: Core, expires: number): void {
  assertExpires(core)
  core.janitor.lookAt(expires)
}

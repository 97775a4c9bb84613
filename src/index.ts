export { isSealogError, SealogError, type SealogErrorCode, type SealogErrorDetails } from './errors.ts'
export { diagnose, type DirectoryFacts, type DirectorySeal, open, openAsync } from './open.ts'
export type {
  CustomEncoding,
  Durability,
  KeyEncoding,
  NamedEncoding,
  OpenAsyncOptions,
  OpenOptions,
  ValueEncoding,
} from './options.ts'
export type { Key, KeyElement } from './codec/keys.ts'
export type { RangeIterator, RangeOptions } from './range.ts'
export type { RecoveryReport, SealReport } from './recovery/recover.ts'
export type { StoreStats } from './stats.ts'
export type { BatchOperation } from './batch.ts'
export type { Entry, Store, StoreSeal, VersionedValue } from './store.ts'

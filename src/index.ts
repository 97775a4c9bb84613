export { isSealogError, SealogError, type SealogErrorCode, type SealogErrorDetails } from './errors.ts'
export { diagnose, type DirectoryFacts, type DirectorySeal, open, openAsync } from './open.ts'
export { salvage, type SalvageLoss, type SalvageOptions, type SalvageReport } from './salvage.ts'
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
export type { GrowOptions } from './growth.ts'
export type { Rows } from './rows.ts'
export type { Change } from './change-feed.ts'
export type { Namespace } from './namespace.ts'
export type { NamespaceOptions } from './namespace-options.ts'
export type { Entry, ReadView, VersionedValue } from './read-view.ts'
export type { Snapshot } from './snapshot.ts'
export type { Table, WatchOptions, WatchRange } from './table.ts'
export type { Transaction, TransactionOptions } from './transaction.ts'
export type { Condition, ExpiryOptions, PutOptions, RemoveOptions } from './write-options.ts'
export type { PutStreamOptions } from './put-stream.ts'
export type { ValueChunk, ValueSource } from './value-source.ts'
export type { LockReport } from './recovery/lock.ts'
export type { BrokenSeal, RecoveryReport, SealLevel, SealReport } from './recovery/report.ts'
export type { CompactOptions, CompactReport } from './compaction.ts'
export type { StoreStats } from './stats.ts'
export type {
  CheckpointMessage,
  CommitKind,
  CommitMessage,
  OpenedMessage,
  OpenFailedMessage,
  OpenMessage,
  PoisonMessage,
  RecoveryMessage,
  SealBrokenMessage,
} from './diagnostics.ts'
export type { BatchOperation } from './batch.ts'
export type { Store, StoreSeal } from './store.ts'
export type { BackupOptions, BackupReport } from './backup.ts'
export type { LongWorkOptions } from './long-work.ts'
export { restore, type RestoreOptions, type RestoreReport } from './restore.ts'
export type { ProblemKind, VerifyProblem, VerifyReport } from './verify.ts'

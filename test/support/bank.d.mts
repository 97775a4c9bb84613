import type { Store } from '../../src/index.ts'

export const accounts: number
export interface BankFigures {
  readonly transfers: number
  readonly refused: number
  readonly retries: number
  readonly snapshots: number
  readonly audits: number
  readonly perSecond: number
  readonly held: number
}
export function runBank(db: Store<number>, options: { seconds: number; tellers: number }): Promise<BankFigures>
export function totalOf(db: Store<number>): { accounts: number; total: number }

import type { Store, Transaction } from '../../src/index.ts'

export const puts: number
export function writeState(tx: Transaction<number>, n: number): void
export function stateOf(db: Store<number>): number
export function journalOf(text: string): { begun: number; acknowledged: number }
export function momentOfKill(journal: string, cycle: number): Promise<void>

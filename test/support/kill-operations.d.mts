import type { BatchOperation } from '../../src/index.ts'

export interface KillValue {
  n: number
  i: number
  text: string
}

export interface KillOperation {
  readonly batch: boolean
  readonly promise: boolean
  readonly turnEnds: boolean
  readonly changes: readonly BatchOperation<KillValue>[]
}

export function textOf(seed: number, n: number, i: number): string
export function operation(seed: number, n: number): KillOperation

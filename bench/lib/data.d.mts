export interface Operation {
  readonly type: 'put' | 'del'
  readonly key: string
  readonly value?: Buffer
}
export const poolSize: number
export function keyAt(i: number): string
export function absentKeyAt(i: number): string
export function makeValues(seed?: number): Buffer[]
export function valueOf(i: number, n: number): number
export function makeBatches(
  order: Uint32Array,
  values: readonly Buffer[],
  n: number | undefined,
  size?: number,
): Generator<Operation[]>

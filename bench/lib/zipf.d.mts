export function zeta(count: number): number
export function zipfianRanks(count: number, seed: number): () => number
export function hash32(number: number): number
export function zipfianOrder(length: number, count: number, seed: number): Uint32Array

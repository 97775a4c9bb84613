export function randomBits(seed: number): () => number
export function randomFraction(seed: number): () => number
export function permutation(count: number, seed: number): Uint32Array
export function uniformOrder(length: number, count: number, seed: number): Uint32Array

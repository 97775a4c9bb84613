/** What the tests use of verify.mjs, with types. */
export interface Verdict {
  found: number
  verified: number
  lost: number
  wrong: number
  problems: string[]
}

export interface Phase {
  name: 'single' | 'promise' | 'batch'
  from: number
  to: number
  size: number
}

export interface Source {
  words: string[]
  order: Uint32Array
  phases: Phase[]
  acknowledged: number
  recovered: number
}

export function verifyStore(db: { count(): number; get(key: string): unknown }, source: Source): Verdict

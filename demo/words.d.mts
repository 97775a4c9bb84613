/** What the tests use of words.mjs, with types. */
export interface WordRecord {
  word: string
  length: number
  letters: string
  vowels: number
  reversed: string
  index: number
}

export function loadWords(count?: number): string[]
export function recordOf(word: string, index: number): WordRecord
export function writeOrder(count: number, seed: number): Uint32Array

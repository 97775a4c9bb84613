// The input: English words as objects, in an order that a seed gives. Parent and child make the same from the same numbers.
import { createRequire } from 'node:module'

const allWords = createRequire(import.meta.url)('an-array-of-english-words')

/** @typedef {{ word: string, length: number, letters: string, vowels: number, reversed: string, index: number }} WordRecord */

/** `count` words, evenly spread over the alphabet; at most as many as there are. */
export function loadWords(count = Infinity) {
  const total = Math.min(count, allWords.length)
  return Array.from({ length: total }, (_, i) => allWords[Math.floor((i * allWords.length) / total)])
}

/**
 * What is stored under a word.
 * @returns {WordRecord}
 */
export function recordOf(word, index) {
  const characters = word.split('')
  return {
    word,
    length: word.length,
    letters: characters.slice().sort().join(''),
    vowels: characters.filter((character) => 'aeiou'.includes(character)).length,
    reversed: characters.reverse().join(''),
    index,
  }
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Positions 0 to count - 1, shuffled (Fisher and Yates): the order in which words are written. */
export function writeOrder(count, seed) {
  const random = randomFrom(seed)
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  return order
}

import { isDeepStrictEqual } from 'node:util'
import { randomFrom, recordOf } from './words.mjs'

const gets = 200_000

/**
 * Random gets, a prefix range and a full scan of the loaded store. Each answer is compared with the source.
 * @returns {{ getsPerSecond: number, prefixCount: number, prefixSample: string[], problems: string[] }}
 */
export function lookUp(db, words, prefix, seed) {
  const problems = []
  const random = randomFrom(seed)
  const picks = Uint32Array.from({ length: gets }, () => Math.floor(random() * words.length))
  let misses = 0
  const startedMs = performance.now()
  for (const pick of picks) if (db.get(words[pick])?.index !== pick) misses++
  const ms = performance.now() - startedMs
  if (misses > 0) problems.push(`${misses} of ${gets} random gets gave something else`)

  const expected = words
    .map((word, index) => ({ key: word, value: recordOf(word, index) }))
    .filter(({ key }) => key.startsWith(prefix))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
  if (!isDeepStrictEqual([...db.range({ prefix })], expected)) problems.push(`the range of '${prefix}' differs`)
  const prefixCount = db.count({ prefix })
  if (prefixCount !== expected.length)
    problems.push(`${prefixCount} are counted of '${prefix}', not ${expected.length}`)

  const sorted = words.toSorted()
  let at = 0
  for (const key of db.keys()) if (key !== sorted[at++]) break
  if (at !== sorted.length) problems.push(`a full scan differs from the sorted source at ${at}`)
  return {
    getsPerSecond: (gets / ms) * 1000,
    prefixCount,
    prefixSample: expected.slice(0, 5).map(({ key }) => key),
    problems,
  }
}

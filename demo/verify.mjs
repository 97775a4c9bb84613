import { isDeepStrictEqual } from 'node:util'
import { recordOf } from './words.mjs'

/**
 * @typedef {object} Verdict
 * @property {number} found entries in the store
 * @property {number} verified acknowledged records that are there and equal to the source
 * @property {number} lost records that are not there, though acknowledged, or served by an earlier recovery
 * @property {number} wrong records that differ from the source, or that no crash may leave: behind a gap, or half of a batch
 * @property {string[]} problems the first few, in words
 */

const problemsMax = 5

/**
 * Compares a store with the source. Writes were made in a known order, so whatever the store holds has to be a prefix of it: all that
 * was acknowledged, and then perhaps some that were not acknowledged any more.
 * @param {object} source
 * @param {string[]} source.words
 * @param {Uint32Array} source.order
 * @param {import('./plan.mjs').Phase[]} source.phases
 * @param {number} source.acknowledged that many of the first writes
 * @param {number} source.recovered what an earlier recovery found, and so made durable
 * @returns {Verdict}
 */
export function verifyStore(db, { words, order, phases, acknowledged, recovered }) {
  const verdict = { found: db.count(), verified: 0, lost: 0, wrong: 0, problems: [] }
  const note = (problem) => verdict.problems.length < problemsMax && verdict.problems.push(problem)
  const kept = Math.max(acknowledged, recovered)
  const prefix = Math.min(Math.max(verdict.found, kept), order.length)
  for (let i = 0; i < prefix; i++) {
    const index = order[i]
    const word = words[index]
    const value = db.get(word)
    if (value === undefined) {
      if (i < kept) verdict.lost++
      else verdict.wrong++
      note(`write ${i} ('${word}') is missing, ${acknowledged} are acknowledged and ${verdict.found} found`)
    } else if (!isDeepStrictEqual(value, recordOf(word, index))) {
      verdict.wrong++
      note(`write ${i} ('${word}') is ${JSON.stringify(value)}`)
    } else if (i < acknowledged) {
      verdict.verified++
    }
  }
  if (verdict.found > order.length) {
    verdict.wrong += verdict.found - order.length
    note(`${verdict.found} entries are found of ${order.length} ever written`)
  }
  const torn = tornBatch(phases, verdict.found)
  if (torn > 0) {
    verdict.wrong++
    note(`${verdict.found} entries are found: ${torn} of a batch`)
  }
  return verdict
}

/** How many writes of an incomplete batch are there: 0, since batches are atomic. */
function tornBatch(phases, found) {
  const { from, to, size } = phases.at(-1)
  return found > from && found < to ? (found - from) % size : 0
}

// How the load is divided, so that it takes seconds on a disk as well as in memory, and where it is interrupted.

/**
 * A part of the write order, and how it is written: `size` writes between two acknowledgements (single), in flight together
 * (promise), or in a batch.
 * @typedef {{ name: 'single' | 'promise' | 'batch', from: number, to: number, size: number }} Phase
 */

const budgetMs = 4000

/**
 * @param {number} total words
 * @param {number} putMs what a durable put costs here
 * @returns {Phase[]}
 */
export function planLoad(total, putMs) {
  const third = Math.floor(total / 3)
  const singles = Math.min(third, Math.max(100, Math.floor(budgetMs / putMs)))
  const inFlight = sizeFor(third, 1000)
  const promises = Math.min(third, inFlight * Math.max(10, Math.floor(budgetMs / (2 * putMs + 5))))
  const batches = total - singles - promises
  return [
    { name: 'single', from: 0, to: singles, size: sizeFor(singles, singlesPerAcknowledgement(putMs)) },
    { name: 'promise', from: singles, to: singles + promises, size: inFlight },
    { name: 'batch', from: singles + promises, to: total, size: sizeFor(batches, 500) },
  ]
}

/** For about a millisecond: in memory an acknowledgement takes longer than a put, and kills shall meet puts. */
function singlesPerAcknowledgement(putMs) {
  return Math.min(256, Math.max(4, Math.round(1 / putMs)))
}

function sizeFor(writes, most) {
  return Math.max(1, Math.min(most, Math.floor(writes / 20)))
}

/**
 * Numbers of acknowledged writes at which to kill, ascending: spread over the phases, random within them, and not near the end of
 * one, which a fast child would reach first.
 * @param {Phase[]} phases
 */
export function planKills(phases, kills, random) {
  const targets = Array.from({ length: kills }, (_, i) => {
    const { from, to } = phases[i % phases.length]
    return from + Math.floor(random() * 0.8 * (to - from))
  })
  return targets.sort((a, b) => a - b)
}

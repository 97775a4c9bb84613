// Zipfian numbers as YCSB makes them: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994, section 3.2.
import { randomFraction } from './random.mjs'

const theta = 0.99

/** The sum of 1 / i^theta for i = 1 to count. */
export function zeta(count) {
  let sum = 0
  for (let i = 1; i <= count; i++) sum += 1 / i ** theta
  return sum
}

/** @returns {() => number} ranks below `count`, 0 the most frequent */
export function zipfianRanks(count, seed) {
  const fraction = randomFraction(seed)
  const zetaCount = zeta(count)
  const alpha = 1 / (1 - theta)
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - zeta(2) / zetaCount)
  return () => {
    const u = fraction()
    const uz = u * zetaCount
    if (uz < 1) return 0
    if (uz < 1 + 0.5 ** theta) return 1
    return Math.floor(count * (eta * u - eta + 1) ** alpha)
  }
}

/** FNV-1a of four bytes. */
export function hash32(number) {
  let hash = 0x811c9dc5
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((number >>> shift) & 255), 0x01000193)
  return hash >>> 0
}

/** YCSB's scrambled zipfian: the frequent keys lie scattered. @returns {() => number} numbers below `count` */
export function zipfianKeys(count, seed) {
  const rank = zipfianRanks(count, seed)
  return () => hash32(rank()) % count
}

export function zipfianOrder(length, count, seed) {
  return Uint32Array.from({ length }, zipfianKeys(count, seed))
}

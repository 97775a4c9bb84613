// Seeded random numbers, so that two engines get the same keys in the same order.

/** sfc32: 32 random bits a call. @returns {() => number} unsigned 32-bit integers */
export function randomBits(seed) {
  let a = 0x9e3779b9 ^ seed
  let b = 0x243f6a88
  let c = 0xb7e15162
  let counter = 1
  const next = () => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

/** @returns {() => number} in [0, 1), with 32 bits */
export function randomFraction(seed) {
  const bits = randomBits(seed)
  return () => bits() / 2 ** 32
}

/** The numbers 0 to count - 1 in random order (Fisher and Yates). */
export function permutation(count, seed) {
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const fraction = randomFraction(seed)
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(fraction() * (i + 1))
    const kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  return order
}

/** @returns {() => number} numbers below `count`, all equally likely */
export function uniformKeys(count, seed) {
  const fraction = randomFraction(seed)
  return () => Math.floor(fraction() * count)
}

export function uniformOrder(length, count, seed) {
  return Uint32Array.from({ length }, uniformKeys(count, seed))
}

/** A number in [0, 1) for each bit and seed (splitmix64's finisher, in 32 bits). */
function chance(bit, seed) {
  let z = (bit ^ Math.imul(seed, 0x9e3779b9)) >>> 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
}

/**
 * The bits to flip: those asked for, or every K-th of headers, or all of them; and a part of the others.
 * @param job { bits: [first, last] | null, every, sample, seed }
 */
export function chooseBits(store, { bits, every, sample, seed }) {
  if (bits) return Array.from({ length: bits[1] - bits[0] + 1 }, (_, i) => bits[0] + i)
  const chosen = []
  for (let bit = 0; bit < store.bytes.length * 8; bit++) {
    const header = store.isHeader(Math.floor(bit / 8))
    if (header ? bit % every === 0 : chance(bit, seed) < sample) chosen.push(bit)
  }
  return chosen
}

// Keys and values, made before the clock runs.
import { randomBits } from './random.mjs'

export const keyBytes = 16
export const valueBytes = 100
export const poolSize = 1024
/** In a model: the key is not there. */
export const absent = 0xffff

const digits = Buffer.alloc(keyBytes)

/**
 * Key `i`: 16 decimal digits, in a flat string of one byte a character. Made where it is used, as programs do; the null engine tells
 * what that takes.
 */
export function keyAt(i) {
  let rest = i
  for (let at = keyBytes - 1; at >= 0; at--) {
    const next = Math.floor(rest / 10)
    digits[at] = 48 + rest - next * 10
    rest = next
  }
  return digits.latin1Slice(0, keyBytes)
}

/** A key that nobody has, right behind ten that may be there. */
export function absentKeyAt(i) {
  keyAt(i)
  digits[keyBytes - 1] = 126
  return digits.latin1Slice(0, keyBytes)
}

/** 1,024 values that do not compress. */
export function makeValues(seed = 1) {
  const bits = randomBits(seed)
  return Array.from({ length: poolSize }, () => Buffer.from(Uint8Array.from({ length: valueBytes }, () => bits())))
}

/** 1,024 small objects, about 100 bytes of JSON each. */
export function makeObjects(seed = 1) {
  const bits = randomBits(seed)
  return Array.from({ length: poolSize }, (_, id) => ({
    id,
    name: `user-${bits().toString(36)}`,
    email: `${bits().toString(36)}@example.org`,
    age: bits() % 100,
    active: bits() % 2 === 0,
    tags: ['one', 'two'],
  }))
}

/** Which value key `i` gets when it is written for the `n`th time. */
export const valueOf = (i, n) => (i * 7 + n * 31) & (poolSize - 1)

/**
 * Operations of one batch, `type`, `key` and `value` each, as most stores take them: entries `from` to `to` of `order`.
 * @param {number | undefined} n as for valueOf; undefined: deletes
 */
export function makeBatch(order, from, to, values, n) {
  const batch = []
  for (let i = from; i < Math.min(to, order.length); i++) {
    const k = order[i]
    batch.push(
      n === undefined ? { type: 'del', key: keyAt(k) } : { type: 'put', key: keyAt(k), value: values[valueOf(k, n)] },
    )
  }
  return batch
}

/** All of `order` in batches, made one by one. */
export function* makeBatches(order, values, n, size = 1000) {
  for (let from = 0; from < order.length; from += size) yield makeBatch(order, from, from + size, values, n)
}

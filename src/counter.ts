/**
 * The value of a counter after an increment; an absent one counts as 0.
 * @throws TypeError if it is no counter, or one of the other kind; RangeError beyond 2^53 - 1
 */
export function sumOf(value: unknown, by: number | bigint): number | bigint {
  if (typeof by === 'bigint') {
    if (value === undefined) return by
    if (typeof value === 'bigint') return value + by
    if (Number.isSafeInteger(value)) return BigInt(value as number) + by
    throw new TypeError('The value is no counter: it must be a whole number or a bigint')
  }
  if (!Number.isSafeInteger(by)) throw new TypeError('A counter is incremented by a whole number or a bigint')
  if (typeof value === 'bigint') throw new TypeError('The counter is a bigint; increment it by a bigint')
  if (value !== undefined && !Number.isSafeInteger(value))
    throw new TypeError('The value is no counter: it must be a whole number')
  const sum = ((value as number | undefined) ?? 0) + by
  if (!Number.isSafeInteger(sum)) throw new RangeError('The counter would exceed 2^53 - 1; increment it by a bigint')
  return sum
}

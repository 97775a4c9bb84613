/** Puts `count` entries of the same value, keys by keyOf(0), keyOf(1), ..., in batches of 1,000. */
export function fill(table, count, keyOf, value) {
  for (let i = 0; i < count; i += 1000) {
    const part = Array.from({ length: Math.min(1000, count - i) }, (_, j) => ({
      type: 'put',
      key: keyOf(i + j),
      value,
    }))
    table.batchSync(part)
  }
}

// The null engine: the harness alone. Nothing is stored; a get answers with the same Buffer each time.
export const name = 'null'
export const kind = 'null'
export const modes = { none: { promise: 'none', settings: 'does nothing' } }
export const version = () => ''

export function open(path, { values }) {
  const value = values === 'object' ? { id: 0, name: '', email: '', age: 0, active: true, tags: [] } : Buffer.alloc(100)
  const resolved = Promise.resolve()
  // Kept, so that the compiler does not take the making of it for useless.
  let kept
  return {
    put(key) {
      kept = key
    },
    putShared(key) {
      kept = key
      return resolved
    },
    batch(operations) {
      kept = operations
    },
    get(key) {
      kept = key
      return value
    },
    getMany(keys) {
      kept = keys
      return keys.map(() => value)
    },
    range(from) {
      kept = from
      return 0
    },
    scan: () => 0,
    close: () => kept,
  }
}

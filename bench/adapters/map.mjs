// A floor: a Map of this process. Reads copy the value, as every store must. No order, so no ranges; nothing is durable.
export const name = 'map'
export const kind = 'floor'
export const modes = { none: { promise: 'none', settings: 'Map of strings to Buffers, copied; objects as JSON' } }
export const version = () => process.version

export function open(path, { values }) {
  const map = new Map()
  const encode = values === 'object' ? JSON.stringify : (value) => Buffer.from(value)
  const decode = values === 'object' ? JSON.parse : (value) => Buffer.from(value)
  const put = (key, value) => void map.set(key, encode(value))
  const get = (key) => {
    const value = map.get(key)
    return value === undefined ? undefined : decode(value)
  }
  return {
    put,
    batch(operations) {
      for (const { type, key, value } of operations) {
        if (type === 'put') put(key, value)
        else map.delete(key)
      }
    },
    get,
    getMany: (keys) => keys.map(get),
    close() {},
  }
}

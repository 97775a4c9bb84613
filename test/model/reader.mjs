// Another process: opens the store that it is told of, says what is in it, closes it.
import { open } from 'sealog'

/** Symbols do not pass between processes. */
const wire = (key) =>
  Array.isArray(key) ? key.map(wire) : typeof key === 'symbol' ? { symbol: Symbol.keyFor(key) } : key

process.on('message', (path) => {
  try {
    const store = open(path)
    const entries = []
    for (const { key, value } of store.range()) {
      const { version, expiresAt } = store.getEntry(key)
      entries.push({ key: wire(key), value, version, expires: expiresAt })
    }
    store.close()
    process.send({ entries })
  } catch (error) {
    process.send({ error: String(error) })
  }
})

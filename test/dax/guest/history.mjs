// What a store must hold: the operations of test/support/kill-operations.mjs are a function of the seed and their number, so the state
// after n of them can be computed, and compared with what is found.
import { operation, textOf } from '../../support/kill-operations.mjs'

/** More than are begun and not acknowledged at any moment. */
const beyond = 5_000

export class History {
  #seed
  #state = new Map()
  /** Operations 1 to `count` have been done. */
  count = 0

  constructor(seed) {
    this.#seed = seed
  }

  /** Does the next operation. @returns the keys it may have changed */
  next() {
    const n = ++this.count
    return operation(this.#seed, n).changes.map(({ type, key }, i) => {
      const name = JSON.stringify(key)
      if (type === 'put') this.#state.set(name, `${n}.${i}`)
      else this.#state.delete(name)
      return name
    })
  }

  get keys() {
    return this.#state.keys()
  }

  /** Which operation wrote the key's value, and which of its changes; undefined where there is no value. */
  originOf(name) {
    return this.#state.get(name)
  }
}

/** Origins of all values by key. @throws Error for a value that was never written */
function originsIn(db, seed) {
  const found = new Map()
  for (const { key, value } of db.range()) {
    const { n, i, text } = value
    if (text !== textOf(seed, n, i)) throw new Error(`the value of ${JSON.stringify(key)} was never written`)
    found.set(JSON.stringify(key), `${n}.${i}`)
  }
  if (found.size !== db.count()) throw new Error(`${found.size} entries in a range, ${db.count()} counted`)
  return found
}

/**
 * Finds after how many operations the store is in the state it is in: at least those acknowledged.
 * @returns the history up to there @throws Error if there is no such number
 */
export function findHistory(db, seed, acknowledged) {
  const found = originsIn(db, seed)
  const history = new History(seed)
  while (history.count < acknowledged) history.next()
  const wrong = new Set([...history.keys, ...found.keys()].filter((name) => history.originOf(name) !== found.get(name)))
  const atFirst = [...wrong]
    .slice(0, 5)
    .map((name) => `${name}: ${history.originOf(name)} expected, ${found.get(name)} found`)
  while (wrong.size > 0) {
    if (history.count > acknowledged + beyond) {
      throw new Error(
        `not a state after ${acknowledged} operations or more; after ${acknowledged}: ${atFirst.join('; ')}`,
      )
    }
    for (const name of history.next()) {
      if (history.originOf(name) === found.get(name)) wrong.delete(name)
      else wrong.add(name)
    }
  }
  return history
}

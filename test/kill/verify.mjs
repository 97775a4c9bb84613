// The whole of a store against what its killed writer has noted.
import { open } from 'sealog'
import { operation, textOf } from '../support/kill-operations.mjs'

/** What a writer began, and how much of it must be there. */
export class SessionModel {
  constructor({ seed, next }, told) {
    this.seed = seed
    this.first = next
    this.issued = told.count === 0 ? next - 1 : told.issued
    this.acknowledged = Math.max(next - 1, told.acknowledged)
    this.refused = told.refused
  }

  changes(n) {
    return this.refused.has(n) ? [] : operation(this.seed, n).changes
  }

  /** @returns the keys that it touched */
  apply(model, n) {
    return this.changes(n).map(({ type, key, value }) => {
      const name = JSON.stringify(key)
      if (type === 'del') model.delete(name)
      else model.set(name, `${value.n}.${value.i}`)
      return name
    })
  }
}

/** @returns which change made the value of each key, by every way of reading; and what opening found. @throws where these differ */
export function readAll({ path, seed }, options) {
  const db = open(path, options)
  try {
    const found = new Map()
    for (const { key, value } of db.range()) {
      const name = JSON.stringify(key)
      if (value.text !== textOf(seed, value.n, value.i)) throw new Error(`the value of ${name} is not what was written`)
      const { n, i, text } = db.get(key) ?? {}
      if (n !== value.n || i !== value.i || text !== value.text)
        throw new Error(`get of ${name} differs from the range`)
      found.set(name, `${n}.${i}`)
    }
    const backward = [...db.keys({ reverse: true })].map((key) => JSON.stringify(key)).reverse()
    if (backward.join() !== [...found.keys()].join()) throw new Error('the range in reverse differs')
    if (db.count() !== found.size) throw new Error(`count says ${db.count()}, the range has ${found.size}`)
    if (db.stats().entries !== found.size) throw new Error('the statistics have another number of entries')
    return { found, recovery: db.recovery, domain: db.persistence }
  } finally {
    db.close()
  }
}

/**
 * Looks for the state that was found: after operation `applied`, acknowledged <= applied <= issued.
 * @param {boolean} exactly only `before` will do
 */
export function compare(session, before, found, exactly = false) {
  const model = new Map(before)
  if (!exactly) for (let n = session.first; n <= session.acknowledged; n++) session.apply(model, n)
  const acknowledged = new Map(model)
  const agrees = (key) => model.get(key) === found.get(key)
  const differing = new Set([...model.keys(), ...found.keys()].filter((key) => !agrees(key)))
  let applied = session.acknowledged
  while (!exactly && differing.size > 0 && applied < session.issued) {
    for (const key of session.apply(model, ++applied)) {
      if (agrees(key)) differing.delete(key)
      else differing.add(key)
    }
  }
  if (differing.size === 0) return { lost: 0, wrong: 0, applied, model }
  return judge(session, acknowledged, found)
}

/** No state fits: which keys are to blame. */
function judge(session, acknowledged, found) {
  const inFlight = new Map()
  for (let n = session.acknowledged + 1; n <= session.issued; n++) {
    session.changes(n).forEach(({ type, key }, i) => {
      const name = JSON.stringify(key)
      if (!inFlight.has(name)) inFlight.set(name, new Set())
      inFlight.get(name).add(type === 'del' ? undefined : `${n}.${i}`)
    })
  }
  let lost = 0
  let wrong = 0
  const examples = []
  for (const key of new Set([...acknowledged.keys(), ...found.keys()])) {
    const [must, is] = [acknowledged.get(key), found.get(key)]
    if (must === is || inFlight.get(key)?.has(is)) continue
    if (must !== undefined && (is === undefined || Number.parseInt(is) < Number.parseInt(must))) lost++
    else wrong++
    if (examples.length < 3) examples.push(`${key}: ${is ?? 'absent'}, acknowledged: ${must ?? 'absent'}`)
  }
  if (lost + wrong === 0) {
    wrong = 1
    examples.push('each key by itself could be so')
  }
  const problem =
    `the store is at no state between operation ${session.acknowledged}, acknowledged, and ${session.issued}, begun: ` +
    `${lost} keys lost, ${wrong} wrong; ${examples.join('; ')}`
  return { lost, wrong, problem }
}

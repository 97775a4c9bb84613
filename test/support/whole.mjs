// A transaction of 10,000 puts and 5,000 removes that turns state n - 1 into state n, and what state n is.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export const puts = 10_000
const removes = 5_000

/** State n: these keys, each with the value n. Neighbouring states share half of their keys. */
const firstKey = (n) => (n % 2) * removes
const goneKey = (n) => (n % 2 === 0 ? puts : 0)

export function writeState(tx, n) {
  for (let i = 0; i < puts; i++) tx.put(firstKey(n) + i, n)
  for (let i = 0; i < removes; i++) tx.remove(goneKey(n) + i)
}

/** @returns the state that the store is in, 0 if it is empty; throws if it is in none */
export function stateOf(db) {
  const rows = db.range().toArray()
  if (rows.length === 0) return 0
  const n = rows[0].value
  const wrong = rows.findIndex(({ key, value }, i) => key !== firstKey(n) + i || value !== n)
  if (wrong >= 0) throw new Error(`in halves: ${JSON.stringify(rows[wrong])} at place ${wrong} of state ${n}`)
  if (rows.length !== puts) throw new Error(`in halves: ${rows.length} entries of state ${n}`)
  if (db.count() !== puts) throw new Error(`the count of state ${n} is ${db.count()}`)
  return n
}

/** Waits for the moment of a kill: often in the middle of a commit, now and then anywhere. */
export async function momentOfKill(journal, cycle) {
  const commits = cycle % 4 === 3 ? 0 : 1 + Math.floor(Math.random() * 3)
  const reached = () => {
    const text = readFileSync(journal, 'utf8')
    return commits === 0 ? text !== '' : (text.match(/^c/gm)?.length ?? 0) >= commits
  }
  while (!reached()) await sleep(1)
  await sleep(Math.random() * (commits === 0 ? 400 : 12))
}

/** What a child has written to its journal: the last transaction that was begun, and that was acknowledged. */
export function journalOf(text) {
  const last = (letter) =>
    Math.max(0, ...[...text.matchAll(/^([ia]) (\d+)\n/gm)].filter((m) => m[1] === letter).map((m) => Number(m[2])))
  return { begun: last('i'), acknowledged: last('a') }
}

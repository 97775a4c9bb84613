// A bank: transfers between accounts as concurrent transactions, while others look whether any money has come or gone.
import { setImmediate as nextTurn } from 'node:timers/promises'

export const accounts = 100
const initial = 1000

class NoFunds extends Error {}

/** @returns figures; throws at the first wrong sum */
export async function runBank(db, { seconds, tellers }) {
  const journal = db.namespace('journal', { keys: 'ordered' })
  db.transactionSync((tx) => {
    for (let account = 0; account < accounts; account++) tx.put(account, initial)
  })
  const figures = { transfers: 0, refused: 0, runs: 0, snapshots: 0, audits: 0 }
  const sum = (view) => view.values().reduce((total, balance) => total + balance, 0)
  const check = (view, where) => {
    const found = [view.count(), sum(view)]
    if (found[0] !== accounts || found[1] !== accounts * initial)
      throw new Error(`${where}: ${found[0]} accounts with ${found[1]}, not ${accounts} with ${accounts * initial}`)
  }
  const begin = performance.now()
  const end = begin + seconds * 1000
  const open = () => performance.now() < end

  const teller = async (number) => {
    for (let n = 0; open(); n++) {
      const from = Math.floor(Math.random() * accounts)
      const to = (from + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts
      const amount = Math.ceil(Math.random() * 1500)
      try {
        await db.transaction(
          async (tx) => {
            figures.runs++
            const balance = tx.get(from)
            tx.put(from, balance - amount)
            await nextTurn()
            tx.put(to, tx.get(to) + amount)
            tx.in(journal).put([number, n], [from, to, amount])
            if (balance < amount) throw new NoFunds()
          },
          { retries: Infinity },
        )
        figures.transfers++
      } catch (error) {
        if (!(error instanceof NoFunds)) throw error
        figures.refused++
      }
    }
  }
  /** Snapshots: each is looked at when it is taken, and again when others have been taken since. */
  const inspector = async () => {
    const held = []
    while (open()) {
      const snapshot = db.snapshot()
      check(snapshot, 'snapshot')
      figures.snapshots++
      held.push(snapshot)
      if (held.length > 5) {
        const oldest = held.shift()
        check(oldest, 'snapshot, later')
        oldest.release()
      }
      check(db, 'store')
      await nextTurn()
    }
    for (const snapshot of held) snapshot.release()
  }
  /** A transaction that reads all twice: the same money is there, whatever is transferred meanwhile. */
  const auditor = async () => {
    while (open()) {
      await db.transaction(async (tx) => {
        const first = sum(tx)
        await nextTurn()
        if (first !== accounts * initial || sum(tx) !== first) throw new Error(`audit: ${first}`)
      })
      figures.audits++
      await nextTurn()
    }
  }
  await Promise.all([inspector(), auditor(), ...Array.from({ length: tellers }, (_, number) => teller(number))])
  const took = (performance.now() - begin) / 1000
  check(db, 'at the end')
  if (journal.count() !== figures.transfers)
    throw new Error(`${journal.count()} transfers are recorded, and ${figures.transfers} were made`)
  const { runs, transfers, refused, snapshots, audits } = figures
  return {
    transfers,
    refused,
    retries: runs - transfers - refused,
    snapshots,
    audits,
    perSecond: Math.round(transfers / took),
    held: db.stats().pins.snapshots,
  }
}

/** What a store must hold that was closed or killed. */
export function totalOf(db) {
  return { accounts: db.count(), total: db.values().reduce((total, balance) => total + balance, 0) }
}

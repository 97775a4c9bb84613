// One flipped bit, seen through the product: opened by TypeScript's recovery, read in every way, written to, closed, opened again.
import { writeSync } from 'node:fs'
import { isSealogError, open } from '../../dist/index.js'

export const outcomes = ['correct', 'fallback', 'typed', 'partial', 'lastFrame', 'wrong', 'crash', 'hang']

const atOpen = ['ERR_SEALOG_CORRUPT', 'ERR_SEALOG_NOT_A_STORE', 'ERR_SEALOG_VERSION', 'ERR_SEALOG_TRUNCATED']
const options = { createIfMissing: false, checkpointBytes: '1GiB' }

class Wrong extends Error {}

const shown = (key) => (key.length > 24 ? `${key.toString('latin1', 0, 8)}..` : key.toString('latin1'))

export class NodeCheck {
  #store
  #path
  #file
  #entries = []
  #hit
  #failures = false

  /** @param file a descriptor of `path`, for the damage */
  constructor(store, path, file) {
    this.#store = store
    this.#path = path
    this.#file = file
  }

  /** @returns the outcome, and for 'wrong' what is */
  check(bit) {
    const store = this.#store
    const at = Math.floor(bit / 8)
    this.#hit = store.pieceAt(at)
    this.#failures = false
    writeSync(this.#file, store.bytes, 0, store.bytes.length, 0)
    writeSync(this.#file, Buffer.of(store.bytes[at] ^ (1 << (bit % 8))), 0, 1, at)
    try {
      return { outcome: this.#judge(bit) }
    } catch (error) {
      return { outcome: 'wrong', wrong: error instanceof Wrong ? error.message : String(error.stack ?? error) }
    }
  }

  #judge(bit) {
    let db
    try {
      db = open(this.#path, options)
    } catch (error) {
      this.#checkRefusal(error)
      return 'typed'
    }
    let outcome = 'correct'
    try {
      if (db.recovery.usedFallback || db.seal.reasons.includes('no valid seal record')) outcome = 'fallback'
      this.#entries = this.#store.state
      if (db.recovery.lsn + 1 < this.#store.nextLsn) outcome = this.#endOfLog(db.recovery.lsn + 1)
      const failed = this.#reads(db, bit)
      if (this.#failures && outcome !== 'lastFrame') outcome = 'partial'
      this.#entries = [...this.#entries]
      this.#writes(db, bit, failed)
    } finally {
      db.close()
    }
    const failures = this.#failures
    const again = open(this.#path, options)
    try {
      this.#scan(again, {}, this.#entries)
      this.#count(again, {}, this.#entries)
      if (failures) this.#gets(again)
    } finally {
      again.close()
    }
    if (this.#failures && !failures) throw new Wrong('reads fail only after the store was reopened')
    return outcome
  }

  #checkRefusal(error) {
    if (!isSealogError(error) || !atOpen.includes(error.code)) throw new Wrong(`open throws ${String(error)}`)
    const hit = this.#hit
    if (hit === undefined) throw new Wrong(`nothing in use is damaged, and open refuses: ${error.message}`)
    if (typeof error.offset !== 'number') throw new Wrong(`open's error has no offset: ${error.message}`)
    const named = this.#store.pieceAt(error.offset)
    // Where an older copy takes the place of a damaged one and does not hold either, that one may be named.
    const isMeta = ['superblock', 'slot', 'table'].includes(hit.kind)
    if (named !== hit && !isMeta)
      throw new Wrong(`open's error names ${error.offset} (${named?.kind}), not the damage: ${error.message}`)
  }

  #endOfLog(lsn) {
    const store = this.#store
    if (this.#hit?.kind !== 'log tail' || this.#hit.lsn !== lsn || store.isProvedMissing(lsn))
      throw new Wrong(`commits are lost without a word from LSN ${lsn}`)
    this.#entries = store.stateAt(lsn - 1)
    return 'lastFrame'
  }

  /** Runs a read; an error must name what is damaged. @returns whether there was one */
  #fails(what, read) {
    try {
      read()
      return false
    } catch (error) {
      if (!isSealogError(error, 'ERR_SEALOG_CORRUPT'))
        throw error instanceof Wrong ? error : new Wrong(`${what}: ${error}`)
      if (this.#hit === undefined || this.#store.pieceAt(error.offset ?? -1) !== this.#hit)
        throw new Wrong(`the error of ${what} names ${error.offset}, which is whole`)
      this.#failures = true
      return true
    }
  }

  #scan(db, range, wanted) {
    let seen = 0
    const failed = this.#fails('a scan', () => {
      for (const { key, value } of db.range(range)) {
        const entry = wanted[range.reverse ? wanted.length - 1 - seen : seen]
        if (entry === undefined || !entry[0].equals(key)) throw new Wrong(`a scan gives ${shown(key)} out of place`)
        if (!entry[1].equals(value)) throw new Wrong(`a scan gives another value of ${shown(key)}`)
        seen++
      }
    })
    if (!failed && seen !== wanted.length) throw new Wrong(`a scan ends after ${seen} of ${wanted.length} entries`)
  }

  #count(db, range, wanted) {
    this.#fails('count', () => {
      const count = db.count(range)
      if (count !== wanted.length) throw new Wrong(`count is ${count}, expected is ${wanted.length}`)
    })
  }

  #gets(db) {
    return this.#entries.filter(([key, value]) =>
      this.#fails(`get of ${shown(key)}`, () => {
        const got = db.get(key)
        if (got === undefined || !value.equals(got))
          throw new Wrong(`get of ${shown(key)} gives ${got === undefined ? 'nothing' : 'another value'}`)
      }),
    )
  }

  /** @returns entries whose get fails */
  #reads(db, bit) {
    const entries = this.#entries
    this.#scan(db, {}, entries)
    this.#scan(db, { reverse: true }, entries)
    this.#count(db, {}, entries)
    const failed = this.#gets(db)
    const near = this.#hit?.keys[0] ?? bit % entries.length
    const low = Math.max(0, Math.min(near, entries.length - 1) - (bit % 4))
    const high = Math.min(near + (bit % 3), entries.length - 1)
    if (low <= high) {
      const range = { gte: entries[low][0], lte: entries[high][0] }
      this.#scan(db, range, entries.slice(low, high + 1))
      this.#count(db, range, entries.slice(low, high + 1))
    }
    return failed
  }

  #writes(db, bit, failed) {
    const put = (key, value) => {
      if (this.#fails(`put of ${shown(key)}`, () => db.putSync(key, value))) return
      const at = this.#entries.findIndex(([each]) => Buffer.compare(each, key) >= 0)
      if (at >= 0 && this.#entries[at][0].equals(key)) this.#entries[at] = [key, value]
      else this.#entries.splice(at < 0 ? this.#entries.length : at, 0, [key, value])
    }
    const failures = this.#failures
    for (const [key] of failed.slice(0, 1)) put(key, Buffer.from('written over damage'))
    put(this.#entries[bit % this.#entries.length][0], Buffer.from(`after ${bit}`))
    put(Buffer.from(`k0${bit % 10007}+`), Buffer.from('new'))
    if (this.#failures && !failures) throw new Wrong('a write fails where every read is right')
  }
}

// Stores that were written when format version 1 was new: every later version has to read them, and write to them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Entry, type Key, open, type Store } from '../../src/index.ts'
import { revive } from '../support/golden-json.mjs'
import { expectSame } from '../support/expect.ts'
import { scratchDirectory } from '../support/scratch.ts'

interface Golden {
  readonly outcome: 'clean' | 'recovered'
  readonly keys: 'ordered' | 'utf8' | 'binary'
  readonly encoding: 'msgpack' | 'json' | 'binary'
  readonly recordsReplayed: number
  readonly entries: readonly { key: unknown; value: unknown }[]
}

const fixtures = fileURLToPath(new URL('../fixtures/v1/', import.meta.url))
const names = readdirSync(fixtures)
  .filter((name) => name.endsWith('.sealog.gz'))
  .map((name) => name.slice(0, -'.sealog.gz'.length))

function golden(name: string): { path: string; image: Buffer; expected: Golden; entries: Entry[] } {
  const expected = JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) as Golden
  const image = gunzipSync(readFileSync(join(fixtures, `${name}.sealog.gz`)))
  const path = join(scratchDirectory(), name)
  writeFileSync(`${path}.sealog`, image)
  return { path, image, expected, entries: revive(expected.entries) as Entry[] }
}

function compare(db: Store, entries: readonly Entry[]): void {
  expectSame([...db.range()], entries)
  expectSame([...db.range({ reverse: true })], [...entries].reverse())
  expect(db.count()).toBe(entries.length)
  for (const { key, value } of entries) {
    expect(db.has(key)).toBe(true)
    expectSame(db.get(key), value)
  }
}

/** A key and a value that the store's encodings take. */
function addition({ keys, encoding }: Golden): Entry {
  const key: Key = keys === 'binary' ? Buffer.from('ffffffff', 'hex') : '\u{10ffff} added'
  return { key, value: encoding === 'binary' ? Buffer.from('added') : { id: 1, name: 'added', age: 3 } }
}

it('there are golden stores, and they are small', () => {
  expect(names).toEqual(['binary-binary', 'clean', 'killed', 'utf8-json'])
  const bytes = readdirSync(fixtures).reduce((sum, name) => sum + readFileSync(join(fixtures, name)).length, 0)
  expect(bytes).toBeLessThan(100_000)
})

describe.each(names)('the golden store %s', (name) => {
  it('opens read-only with every entry, and stays as it is', () => {
    const { path, image, expected, entries } = golden(name)
    const db = open(path, { readOnly: true, keys: expected.keys, encoding: expected.encoding })
    const { outcome, recordsReplayed, usedFallback, findings, discardedRecords } = db.recovery
    expect({ outcome, recordsReplayed, usedFallback, findings, discardedRecords }).toEqual({
      outcome: expected.outcome,
      recordsReplayed: expected.recordsReplayed,
      usedFallback: false,
      findings: [],
      discardedRecords: 0,
    })
    expect(db.recovery.tornAt === null).toBe(expected.outcome === 'clean')
    compare(db, entries)
    db.close()
    expect(readFileSync(`${path}.sealog`).equals(image)).toBe(true)
  })

  it('opens for writing with every entry, takes another one, and has all of it when opened again', () => {
    const { path, expected, entries } = golden(name)
    const db = open(path)
    expect(db.recovery).toMatchObject({ outcome: expected.outcome, recordsReplayed: expected.recordsReplayed })
    compare(db, entries)
    const added = addition(expected)
    db.putSync(added.key, added.value)
    const first = entries[0]!
    expect(db.removeSync(first.key)).toBe(true)
    db.close()
    const again = open(path)
    expect(again.recovery.outcome).toBe('clean')
    const left = entries.slice(1)
    const at =
      expected.keys === 'ordered'
        ? left.findIndex(({ key }) => key instanceof Uint8Array || (Array.isArray(key) && key[0] instanceof Uint8Array))
        : left.length
    compare(again, [...left.slice(0, at), added, ...left.slice(at)])
    again.close()
  })
})

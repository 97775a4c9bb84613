// getMany: as many gets, whatever the keys and values are, and however they fit the calls that it makes.
import { describe, expect, it } from 'vitest'
import type { Key, OpenOptions } from '../../src/index.ts'
import { errorOf, expectRefusal } from '../support/expect.ts'
import { openScratch } from '../support/scratch.ts'

/** Lengths that fit many to a call, one to a call, and none: a block has 64 KiB. */
const lengths = [0, 1, 7, 8, 100, 5000, 16_384, 16_385, 65_536, 65_537, 200_000]

const encodings = {
  msgpack: (n: number) => ({ n, text: 'x'.repeat(lengths[n % lengths.length] ?? 0) }),
  json: (n: number) => ['y'.repeat(lengths[n % lengths.length] ?? 0), n],
  string: (n: number) => 'ü'.repeat(lengths[n % lengths.length] ?? 0) + String(n),
  binary: (n: number) => Buffer.alloc(lengths[n % lengths.length] ?? 0, n),
} satisfies Record<string, (n: number) => unknown>

const room: OpenOptions = { capacity: '64MiB', segmentBytes: '1MiB' }

describe.each(Object.keys(encodings) as (keyof typeof encodings)[])('getMany of %s', (encoding) => {
  it('answers as gets do', () => {
    const db = openScratch({ ...room, encoding })
    const keys: Key[] = []
    for (let n = 0; n < 300; n++) {
      const key = n % 3 === 0 ? `key ${n}` : n % 3 === 1 ? n / 7 : [`long ${'k'.repeat((n * 13) % 1900)}`, n]
      if (n % 5 !== 4) db.putSync(key, encodings[encoding](n))
      keys.push(key)
    }
    const asked = [...keys, ...keys.slice(0, 40), 'absent']
    const values = db.getMany(asked)
    expect(values.length).toBe(asked.length)
    for (const [i, key] of asked.entries()) {
      const value = db.get(key)
      if (value instanceof Buffer) expect(value.equals(values[i] as Buffer), `value ${i}`).toBe(true)
      else expect(values[i], `value ${i}`).toEqual(value)
    }
    expect(db.getMany([])).toEqual([])
  })
})

describe('getMany', () => {
  it('gives Buffers that stay as they are, and are what Buffers are', () => {
    const db = openScratch<Uint8Array>({ encoding: 'binary' })
    for (let n = 0; n < 600; n++) db.putSync(n, Buffer.alloc(100, n))
    const keys = Array.from({ length: 600 }, (_, n) => n)
    const first = db.getMany(keys)
    db.getMany(keys.reverse())
    for (let n = 0; n < 600; n++) db.get(n)
    expect(first.map((value) => value?.[99])).toEqual(Array.from({ length: 600 }, (_, n) => n & 0xff))
    const [some] = first
    expect(Object.getPrototypeOf(some)).toBe(Buffer.prototype)
    expect(some).toStrictEqual(Buffer.alloc(100))
  })

  it('takes its keys from anything that can be iterated over, which may use the store', () => {
    const db = openScratch()
    db.putSync('a', 1)
    function* keys(): Generator<string> {
      yield 'a'
      expect(db.getMany(['a', 'b'])).toEqual([1, undefined])
      db.putSync('b', 2)
      yield 'b'
    }
    expect(db.getMany(keys())).toEqual([1, 2])
  })

  it('may be called by a decoder', () => {
    const inner: unknown[] = []
    let nested = false
    const db = openScratch({
      encoding: {
        encode: (value) => Buffer.from(String(value)),
        decode: (bytes) => {
          if (!nested) {
            nested = true
            inner.push(...db.getMany(['c', 'b', 'a']))
          }
          return Buffer.from(bytes).toString()
        },
      },
    })
    for (const key of ['a', 'b', 'c']) db.putSync(key, key)
    expect(db.getMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c'])
    expect(inner).toEqual(['c', 'b', 'a'])
  })

  it('reads namespaces and snapshots, and nothing that has expired', async () => {
    const db = openScratch<number>()
    const people = db.namespace<number>('people')
    people.putSync('a', 1)
    db.putSync('a', 2)
    using then = db.snapshot()
    db.putSync('a', 3)
    db.putSync('soon', 4, { ttl: 1 })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(people.getMany(['a', 'b'])).toEqual([1, undefined])
    expect(db.getMany(['a', 'soon'])).toEqual([3, undefined])
    expect(then.getMany(['a'])).toEqual([2])
    expect(then.namespace(people).getMany(['a'])).toEqual([1])
    then.release()
    expectRefusal(
      errorOf(() => then.getMany(['a'])),
      'ERR_SEALOG_CLOSED',
    )
  })
})

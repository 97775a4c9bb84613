import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyCodec } from '../../../src/codec/keys.ts'
import type { KeyEncoding } from '../../../src/options.ts'

const encode = (name: KeyEncoding, key: unknown): Buffer => {
  const target = Buffer.alloc(4096)
  return target.subarray(8, 8 + keyCodec(name).encodeKey(key, target, 8))
}

const bounds = (name: KeyEncoding, prefix: unknown): [Buffer, Buffer | undefined] => {
  const target = Buffer.alloc(8192)
  const { lowBytes, highBytes } = keyCodec(name).encodePrefix(prefix, target, 8)
  const low = target.subarray(8, 8 + lowBytes)
  return [low, highBytes === undefined ? undefined : target.subarray(8 + lowBytes, 8 + lowBytes + highBytes)]
}

const within = (name: KeyEncoding, prefix: unknown, key: unknown): boolean => {
  const [low, high] = bounds(name, prefix)
  const bytes = encode(name, key)
  return Buffer.compare(low, bytes) <= 0 && (high === undefined || Buffer.compare(bytes, high) < 0)
}

describe('utf8 keys', () => {
  const wellFormed = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).filter((text) => text.isWellFormed())

  it('are UTF-8 and come back', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        const bytes = encode('utf8', text)
        expect(bytes).toEqual(Buffer.from(text))
        expect(keyCodec('utf8').decodeKey(bytes, 0, bytes.length)).toBe(text)
      }),
    )
  })

  it('refuse what is no well-formed, non-empty string', () => {
    for (const bad of ['', '\ud800', 1, null, undefined, Buffer.from('a'), ['a']]) {
      expect(() => encode('utf8', bad)).toThrow(TypeError)
    }
    expect(() => encode('utf8', 'é'.repeat(993))).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_KEY_TOO_LARGE' }))
    expect(encode('utf8', 'é'.repeat(992))).toHaveLength(1984)
  })

  it('are within a prefix exactly if they begin with it', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (prefix, key) => {
        expect(within('utf8', prefix, key)).toBe(key.startsWith(prefix))
      }),
    )
    fc.assert(
      fc.property(wellFormed, wellFormed, (prefix, rest) => {
        expect(within('utf8', prefix, prefix + rest)).toBe(true)
      }),
    )
    expect(bounds('utf8', '')).toEqual([Buffer.alloc(0), undefined])
  })
})

describe('binary keys', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 })

  it('are the bytes, and come back in memory of their own', () => {
    fc.assert(
      fc.property(bytes, (key) => {
        const encoded = encode('binary', key)
        const read = keyCodec('binary').decodeKey(encoded, 0, encoded.length)
        encoded.fill(0)
        expect(read).toEqual(Buffer.from(key))
      }),
    )
  })

  it('refuse strings, nothing, and more than 1984 bytes', () => {
    for (const bad of ['a', new Uint8Array(0), [1], new Uint16Array(1)])
      expect(() => encode('binary', bad)).toThrow(TypeError)
    expect(() => encode('binary', Buffer.alloc(1985))).toThrow(
      expect.objectContaining({ code: 'ERR_SEALOG_KEY_TOO_LARGE' }),
    )
    expect(encode('binary', Buffer.alloc(1984))).toHaveLength(1984)
  })

  it('have prefixes whose high bound carries over 0xff', () => {
    expect(bounds('binary', Buffer.from([1, 255, 255]))).toEqual([Buffer.from([1, 255, 255]), Buffer.from([2])])
    expect(bounds('binary', Buffer.from([255, 255]))).toEqual([Buffer.from([255, 255]), undefined])
    expect(bounds('binary', Buffer.alloc(0))).toEqual([Buffer.alloc(0), undefined])
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 254, 255), { maxLength: 3 }),
        fc.array(fc.constantFrom(0, 1, 254, 255), { minLength: 1, maxLength: 4 }),
        (prefix, key) => {
          const begins = Buffer.from(key).subarray(0, prefix.length).equals(Buffer.from(prefix))
          expect(within('binary', Buffer.from(prefix), Buffer.from(key))).toBe(begins)
        },
      ),
    )
  })
})

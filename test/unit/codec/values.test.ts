import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { pack as packOfMain } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { valueCodec, type StructureStore, type ValueCodec } from '../../../src/codec/values.ts'
import type { ValueEncoding } from '../../../src/options.ts'

const noStructures: StructureStore = {
  load: () => undefined,
  save: () => {
    throw new Error('not expected')
  },
}

/** Keeps the structures in a variable, as a copy, and counts. */
function memoryStructures(): StructureStore & { bytes: Uint8Array | undefined; saves: number; loads: number } {
  return {
    bytes: undefined,
    saves: 0,
    loads: 0,
    load() {
      this.loads++
      return this.bytes
    },
    save(bytes) {
      this.saves++
      this.bytes = Uint8Array.from(bytes)
      return true
    },
  }
}

function bytesOf(codec: ValueCodec, value: unknown, slabBytes = 65536): Buffer {
  const slab = Buffer.alloc(slabBytes, 0xaa)
  const end = codec.encodeInto(slab, 8, value)
  expect(slab.subarray(0, 8).every((byte) => byte === 0xaa)).toBe(true)
  return typeof end === 'number' ? Buffer.from(slab.subarray(8, end)) : Buffer.from(end)
}

/** Decodes from the middle of a slab, then overwrites the slab: what was decoded may not change. */
function decode(codec: ValueCodec, bytes: Buffer): unknown {
  const slab = Buffer.concat([Buffer.alloc(200, 0x40), bytes, Buffer.alloc(8, 0x40)])
  const value = codec.decode(slab, 200, 200 + bytes.length)
  slab.fill(0x55)
  return value
}

const roundTrip = (codec: ValueCodec, value: unknown): unknown => decode(codec, bytesOf(codec, value))
const codecOf = (encoding: ValueEncoding, structures: StructureStore = noStructures): ValueCodec =>
  valueCodec(encoding, structures)

const wellFormed = fc.string({ unit: 'binary', maxLength: 80 }).filter((text) => text.isWellFormed())
const property = fc
  .oneof(wellFormed, fc.constantFrom('a', 'b', 'c', 'constructor', 'hasOwnProperty', 'length', '0'))
  .filter((name) => name !== '__proto__' && name !== '__keys__')
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false),
    fc.double().map((n) => n + 0),
    fc.integer(),
    fc.bigInt(),
    wellFormed,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.date({ noInvalidDate: true }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(property, tie('value'), { maxKeys: 6, noNullPrototype: true }),
    fc
      .array(fc.tuple(fc.oneof(wellFormed, fc.integer()), tie('value')), { maxLength: 4 })
      .map((entries) => new Map(entries)),
  ),
})).value

describe('msgpack values', () => {
  it('come back equal, whatever shapes were met before', () => {
    const structures = memoryStructures()
    const writer = codecOf('msgpack', structures)
    fc.assert(
      fc.property(
        plain.filter((value) => value !== undefined),
        (value) => {
          const bytes = bytesOf(writer, value)
          expect(isDeepStrictEqual(decode(writer, bytes), value)).toBe(true)
          // Another process, which knows no structures yet.
          expect(isDeepStrictEqual(decode(codecOf('msgpack', structures), bytes), value)).toBe(true)
        },
      ),
      { numRuns: 1500 },
    )
    expect(structures.saves).toBeLessThanOrEqual(32)
  })

  it('save each of the first 32 shapes once, and read values of more', () => {
    const structures = memoryStructures()
    const codec = codecOf('msgpack', structures)
    const values = Array.from({ length: 200 }, (_, i) => ({ [`shape${i}`]: i, list: [{ [`inner${i}`]: true }] }))
    const all = values.map((value) => bytesOf(codec, value))
    for (const value of values) bytesOf(codec, value)
    const fresh = codecOf('msgpack', structures)
    expect(all.map((bytes) => decode(fresh, bytes))).toStrictEqual(values)
    expect((JSON.parse(Buffer.from(structures.bytes!).toString()) as unknown[]).length).toBe(32)
  })

  it('of two writers of one store do not mix their structures up', () => {
    const structures = memoryStructures()
    const [a, b] = [codecOf('msgpack', structures), codecOf('msgpack', structures)]
    const values = Array.from({ length: 40 }, (_, i) => ({ [`p${i}`]: i }))
    const all = values.map((value, i) => bytesOf(i % 3 === 0 ? a : b, value))
    const fresh = codecOf('msgpack', structures)
    expect(all.map((bytes) => decode(fresh, bytes))).toStrictEqual(values)
    expect(all.map((bytes) => decode(a, bytes))).toStrictEqual(values)
  })

  it('survive a save that fails: nothing then refers to what was not saved', () => {
    const structures = memoryStructures()
    let broken = true
    const flaky: StructureStore = {
      load: () => structures.load(),
      save: (bytes) => {
        if (broken) throw new Error('full')
        return structures.save(bytes)
      },
    }
    const codec = codecOf('msgpack', flaky)
    expect(() => bytesOf(codec, { a: 1 })).toThrow('full')
    broken = false
    const bytes = bytesOf(codec, { a: 1, b: 2 })
    const again = bytesOf(codec, { a: 3 })
    const fresh = codecOf('msgpack', structures)
    expect([decode(fresh, bytes), decode(fresh, again)]).toStrictEqual([{ a: 1, b: 2 }, { a: 3 }])
  })

  it('are decoded right when the structures are loaded in the middle, over the slab', () => {
    const structures = memoryStructures()
    const bytes = bytesOf(codecOf('msgpack', structures), [{ a: 'x'.repeat(100), b: Buffer.from('bytes') }, { c: 1 }])
    const slab = Buffer.concat([bytes, Buffer.alloc(100)])
    const disturbing: StructureStore = {
      load: () => {
        slab.fill(0)
        return structures.bytes
      },
      save: () => true,
    }
    const value = codecOf('msgpack', disturbing).decode(slab, 0, bytes.length)
    expect(value).toStrictEqual([{ a: 'x'.repeat(100), b: Buffer.from('bytes') }, { c: 1 }])
  })

  it('may have getters that encode other values meanwhile', () => {
    const codec = codecOf('msgpack', memoryStructures())
    const value = {
      a: 1,
      get b() {
        return roundTrip(codec, { deep: [1, 2, 3] })
      },
      c: 3,
    }
    expect(roundTrip(codec, value)).toStrictEqual({ a: 1, b: { deep: [1, 2, 3] }, c: 3 })
  })

  it('that do not fit the slab are returned elsewhere', () => {
    const codec = codecOf('msgpack', memoryStructures())
    for (const length of [100, 1000, 65_000, 3_000_000]) {
      const value = { text: 'é'.repeat(length), list: [length] }
      const slab = Buffer.alloc(1024)
      const end = codec.encodeInto(slab, 0, value)
      expect(typeof end).toBe(length >= 1000 ? 'object' : 'number')
      const bytes = typeof end === 'number' ? slab.subarray(0, end) : Buffer.from(end)
      expect(codec.decode(Buffer.from(bytes), 0, bytes.length)).toStrictEqual(value)
    }
  })

  it('do not touch what other users of msgpackr got', () => {
    const codec = codecOf('msgpack', memoryStructures())
    const theirs = packOfMain({ mine: true })
    const copy = Buffer.from(theirs)
    for (let i = 0; i < 100; i++) bytesOf(codec, { other: i, text: 'x'.repeat(i * 10) })
    expect(Buffer.from(theirs)).toEqual(copy)
  })

  it('refuse what would come back as something else', () => {
    const codec = codecOf('msgpack', memoryStructures())
    const cyclic: unknown[] = []
    cyclic.push({ cyclic })
    const refused: unknown[] = [
      undefined,
      () => 1,
      Symbol('a'),
      'lone \ud800',
      new Set([1]),
      /a/,
      new Error('a'),
      new Float64Array([1.5]),
      new ArrayBuffer(1),
      new DataView(new ArrayBuffer(1)),
      new String('a'),
      Promise.resolve(1),
      new WeakMap(),
      cyclic,
      JSON.parse('{"__proto__":{"polluted":true}}'),
      { __keys__: 1 },
      { 'a\udc00': 1 },
      new Map([[{ __keys__: 1 }, 1]]),
      { toJSON: () => 1 },
    ]
    for (const value of refused) {
      expect(() => bytesOf(codec, value)).toThrow(TypeError)
      if (value !== undefined) expect(() => bytesOf(codec, { a: [value] })).toThrow(TypeError)
    }
    expect(roundTrip(codec, { a: 1 })).toStrictEqual({ a: 1 })
  })

  it('of classes are stored like plain objects, or as toJSON says', () => {
    class Point {
      x = 1
      #hidden = 2
      sum() {
        return this.x + this.#hidden
      }
    }
    const codec = codecOf('msgpack', memoryStructures())
    expect(roundTrip(codec, new Point())).toStrictEqual({ x: 1 })
    expect(roundTrip(codec, { toJSON: 'text' })).toStrictEqual({ toJSON: 'text' })
    expect(roundTrip(codec, { url: new URL('file:///a') })).toStrictEqual({ url: 'file:///a' })
    expect(roundTrip(codec, Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
  })

  it('never pollute a prototype, even from hostile bytes', () => {
    const codec = codecOf('msgpack', memoryStructures())
    const name = Buffer.from('__proto__')
    const hostile = Buffer.concat([
      Buffer.from([0x81, 0xa0 | name.length]),
      name,
      Buffer.from([0x81, 0xa1, 0x78, 0x01]),
    ])
    try {
      decode(codec, hostile)
    } catch {
      // Refusing is as good.
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it('that are not msgpack are a typed error', () => {
    const codec = codecOf('msgpack', memoryStructures())
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from([0xc1, 1]),
      Buffer.from([0xdf, 255, 255, 255, 255]),
      Buffer.from([0xa5, 1]),
    ]) {
      expect(() => decode(codec, bytes)).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CORRUPT' }))
    }
    const damaged: StructureStore = { load: () => Buffer.from('[[1]]'), save: () => true }
    expect(() => decode(codecOf('msgpack', damaged), Buffer.from([0x40, 1]))).toThrow(/structures are damaged/)
  })
})

describe('json values', () => {
  const codec = codecOf('json')

  it('come back as JSON has them', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(roundTrip(codec, value)).toStrictEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(roundTrip(codec, 'lone \ud800')).toBe('lone \ud800')
    expect(Object.getPrototypeOf(roundTrip(codec, JSON.parse('{"__proto__":1}')))).toBe(Object.prototype)
  })

  it('refuse undefined and functions', () => {
    for (const bad of [undefined, () => 1, Symbol('a')]) expect(() => bytesOf(codec, bad)).toThrow(TypeError)
  })

  it('that are not JSON are a typed error', () => {
    expect(() => decode(codec, Buffer.from('{'))).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_CORRUPT' }))
  })
})

describe('string values', () => {
  const codec = codecOf('string')

  it('come back, wherever they end', () => {
    fc.assert(
      fc.property(wellFormed, fc.integer({ min: 8, max: 200 }), (text, slabBytes) => {
        expect(decode(codec, bytesOf(codec, text, slabBytes))).toBe(text)
      }),
    )
  })

  it('must be well-formed strings', () => {
    for (const bad of [1, null, undefined, Buffer.from('a'), 'a\udfff'])
      expect(() => bytesOf(codec, bad)).toThrow(TypeError)
  })
})

describe('binary values', () => {
  const codec = codecOf('binary')

  it('come back as Buffers of their own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 8, max: 200 }), (bytes, slabBytes) => {
        expect(decode(codec, bytesOf(codec, bytes, slabBytes))).toEqual(Buffer.from(bytes))
      }),
    )
  })

  it('must be byte arrays', () => {
    for (const bad of ['a', 1, null, [1], new Uint16Array(1), new ArrayBuffer(1)])
      expect(() => bytesOf(codec, bad)).toThrow(TypeError)
  })
})

describe('custom values', () => {
  it('pass through the functions given, which get copies', () => {
    let kept: Uint8Array | undefined
    const codec = codecOf({
      name: 'reversed',
      encode: (value) => Buffer.from(value as string).reverse(),
      decode: (bytes) => {
        kept = bytes
        return Buffer.from(bytes).reverse().toString()
      },
    })
    expect(roundTrip(codec, 'abc')).toBe('abc')
    expect(Buffer.from(kept!).toString()).toBe('cba')
    expect(codec.code).toBe(255)
  })

  it('must be encoded to a Uint8Array', () => {
    const codec = codecOf({ name: 'bad', encode: () => 'text' as unknown as Uint8Array, decode: () => 1 })
    expect(() => bytesOf(codec, 1)).toThrow(/'bad' must return a Uint8Array/)
  })
})

describe('no codec', () => {
  it('generates code from strings', async () => {
    const { spawnSync } = await import('node:child_process')
    const script = `
      const { default: { Packr } } = await import('msgpackr/index-no-eval')
      const packr = new Packr({ useRecords: true, structures: [] })
      const bytes = packr.pack({ a: 1, b: 2 })
      for (let i = 0; i < 20; i++) packr.unpack(bytes)`
    const { status, stderr } = spawnSync(process.execPath, [
      '--disallow-code-generation-from-strings',
      '--input-type=module',
      '-e',
      script,
    ])
    expect([status, stderr.toString()]).toEqual([0, ''])
  })
})

import { describe, expect, it } from 'vitest'
import { nativeCreateOptions, nativeOpenOptions } from '../../src/options/native.ts'
import { parseBytes } from '../../src/options/bytes.ts'
import { nearest } from '../../src/options/nearest.ts'
import {
  capacityBytesDefault,
  checkpointBytesDefault,
  type OpenOptions,
  resolveAsyncOptions,
  resolveOptions,
} from '../../src/options.ts'

const resolve = (options: unknown) => resolveOptions(options as OpenOptions)

describe('autoGrow', () => {
  it('is a step and a maximum', () => {
    const autoGrow = { step: '64MiB', max: '1GiB' }
    expect(resolve({ autoGrow })).toMatchObject({
      autoGrow: { stepBytes: 2 ** 26, maxBytes: 2 ** 30 },
      tableCapacity: 0,
    })
  })

  it('has a table with room for its maximum', () => {
    const autoGrow = { step: '1GiB', max: '128GiB' }
    expect(resolve({ autoGrow })).toMatchObject({ tableCapacity: 2 ** 16 })
    // 31,744 entries are what one segment of META has room for anyway.
    expect(resolve({ autoGrow: { ...autoGrow, max: '62GiB' } })).toMatchObject({ tableCapacity: 0 })
    expect(() => resolve({ autoGrow: { step: 1, max: '8TiB' }, capacity: '64MiB' })).toThrow(/'capacity' of at least/)
  })

  it.each([
    [true, TypeError],
    [null, TypeError],
    [{}, TypeError],
    [{ step: '1MiB' }, TypeError],
    [{ step: '1MiB', max: '1GB' }, TypeError],
    [{ step: '1MiB', max: '1GiB', most: 1 }, TypeError],
    [{ step: 0, max: '1GiB' }, RangeError],
    [{ step: 1, max: '9TiB' }, RangeError],
  ])('is not %j', (autoGrow, type) => {
    expect(() => resolve({ autoGrow })).toThrow(type)
  })

  it('is for a store that is written', () => {
    expect(() => resolve({ readOnly: true, autoGrow: { step: 1, max: '1GiB' } })).toThrow(TypeError)
  })
})

describe('options', () => {
  it('have defaults', () => {
    expect(resolveOptions()).toEqual({
      capacityBytes: capacityBytesDefault,
      durability: 'sync',
      require: 'any',
      readOnly: false,
      keys: undefined,
      encoding: undefined,
      checkpointBytes: checkpointBytesDefault,
      segmentBytes: 2 ** 21,
      immutable: false,
      autoGrow: undefined,
      tableCapacity: 0,
      createIfMissing: true,
      errorIfExists: false,
      waitMs: 0,
      flush: '',
    })
    expect(resolve({ durability: undefined, capacity: undefined })).toEqual(resolveOptions())
  })

  it('are taken where they are right', () => {
    const encoding = { encode: () => new Uint8Array(0), decode: () => 1 }
    const given = {
      durability: 'relaxed',
      require: 'pmem',
      keys: 'utf8',
      encoding,
      flush: 'nt',
      waitMs: 1.5,
      checkpointBytes: '8 MiB',
    }
    expect(resolve({ ...given, capacity: '1GiB' })).toMatchObject({
      ...given,
      capacityBytes: 2 ** 30,
      checkpointBytes: 2 ** 23,
    })
    expect(resolve({ readOnly: true })).toMatchObject({ readOnly: true, createIfMissing: false })
  })

  it('round capacity up to whole segments', () => {
    expect(resolve({ capacity: 20_000_000 }).capacityBytes).toBe(10 * 2 ** 21)
    expect(resolve({ capacity: 1_000_000, segmentBytes: 16384 }).capacityBytes).toBe(62 * 16384)
  })

  it.each([
    [{ capcity: 1 }, /Unknown option 'capcity'; did you mean 'capacity'\?/],
    [{ readonly: true }, /did you mean 'readOnly'/],
    [{ wibble: true }, /^Unknown option 'wibble'$/],
    [{ onProgress: () => 1 }, /Unknown option 'onProgress'/],
    [{ durability: 'fast' }, /'durability' must be one of 'sync', 'relaxed', not 'fast'/],
    [{ require: 'any' }, /'require' must be one of/],
    [{ readOnly: 'yes' }, /'readOnly' must be a boolean, not 'yes'/],
    [{ keys: 'hex' }, /'keys' must be one of/],
    [{ encoding: 'bson' }, /'encoding' must be one of/],
    [{ encoding: { encode: 1 } }, /encode and decode/],
    [{ encoding: null }, /'encoding' must be one of.*not null/],
    [{ capacity: '1GB' }, /unclear unit in '1GB'; write GiB/],
    [{ capacity: '1G' }, /write GiB/],
    [{ capacity: '1 furlong' }, /write KiB, MiB, GiB or TiB/],
    [{ capacity: 'big' }, /must be a number of bytes/],
    [{ capacity: null }, /must be a number of bytes/],
    [{ capacity: {} }, /not a value of type object/],
    [{ flush: 'wbinvd' }, /'flush' must be one of/],
    [{ readOnly: true, createIfMissing: true }, /conflict/],
    [{ createIfMissing: false, errorIfExists: true }, /needs 'createIfMissing'/],
    [{ seal: true }, /'seal' must be an object/],
    [{ seal: null }, /'seal' must be an object/],
    [{ seal: { immutible: true } }, /Unknown option 'seal.immutible'; did you mean 'seal.immutable'/],
    [{ seal: { immutable: 1 } }, /'seal.immutable' must be a boolean/],
    [{ readOnly: true, seal: { immutable: true } }, /'readOnly' and 'seal.immutable' conflict/],
    [null, /must be an object, not null/],
    ['path', /must be an object/],
  ])('%o are a TypeError that explains', (options, message) => {
    expect(() => resolve(options)).toThrow(TypeError)
    expect(() => resolve(options)).toThrow(message)
  })

  it.each([
    { capacity: -1 },
    { capacity: 1.5 },
    { capacity: NaN },
    { capacity: 2 ** 60 },
    { capacity: '64KiB' },
    { segmentBytes: 8192 },
    { segmentBytes: 3 * 16384 },
    { segmentBytes: 2 ** 22 },
    { checkpointBytes: 1024 },
    { capacity: '0.3B' },
  ])('%o are a RangeError', (options) => {
    expect(() => resolve(options)).toThrow(RangeError)
  })

  it('of openAsync include two more', () => {
    const { signal } = new AbortController()
    expect(resolveAsyncOptions({ signal, onProgress: () => undefined })).toEqual(resolveOptions())
    expect(() => resolveAsyncOptions({ signal: 1 as unknown as AbortSignal })).toThrow(/AbortSignal/)
    expect(() => resolveAsyncOptions({ onProgress: 1 as unknown as () => void })).toThrow(/function/)
    expect(() => resolveAsyncOptions({ sygnal: signal } as OpenOptions)).toThrow(/did you mean 'signal'/)
  })
})

describe('options for native', () => {
  it('are codes', () => {
    const options = resolve({
      require: 'disk',
      durability: 'relaxed',
      keys: 'binary',
      encoding: 'json',
      flush: 'clwb',
      readOnly: true,
    })
    expect(nativeOpenOptions(options)).toEqual({
      reserveBytes: 0,
      readOnly: true,
      besideWriter: true,
      durability: 1,
      requireDomain: 3,
      flush: 'clwb',
    })
    expect(nativeCreateOptions(options)).toMatchObject({ keyCodec: 3, valueCodec: 2, tableCapacity: 0, durability: 1 })
    expect(nativeCreateOptions(resolveOptions())).toMatchObject({ keyCodec: 1, valueCodec: 1, requireDomain: 0 })
    const custom = { encode: () => new Uint8Array(0), decode: () => 1 }
    expect(nativeCreateOptions(resolve({ encoding: custom })).valueCodec).toBe(255)
  })
})

describe('helpers', () => {
  it('parse bytes', () => {
    const bytes = (given: unknown) => {
      const parsed = parseBytes(given)
      return parsed.ok ? parsed.bytes : parsed.kind
    }
    expect(['1', '1b', '2 KiB', '1.5MiB', ' 3gib ', '2TiB', 7].map(bytes)).toEqual([
      1,
      1,
      2048,
      1572864,
      3 * 2 ** 30,
      2 ** 41,
      7,
    ])
    expect(['', '-1', '1e3', '1.5B', 'MiB', true].map(bytes)).toEqual(['type', 'type', 'type', 'range', 'type', 'type'])
  })

  it('find the nearest name', () => {
    expect(nearest('encodeing', ['encoding', 'keys'])).toBe('encoding')
    expect(nearest('x', ['encoding'])).toBeUndefined()
  })
})

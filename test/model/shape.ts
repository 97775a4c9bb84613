/** What stores the model is run against: each key encoding, each value encoding, each kind of medium, sizes that fill up soon. */
import type { CustomEncoding, KeyEncoding, NamedEncoding, NamespaceOptions, OpenOptions } from '../../src/index.ts'

export type Medium = 'memory' | 'disk' | 'os'

export interface Shape {
  readonly keys: KeyEncoding
  readonly encoding: NamedEncoding | 'custom'
  readonly medium: Medium
  readonly segmentBytes: number
  readonly capacityBytes: number
}

const segments = 16

function shape(keys: KeyEncoding, encoding: Shape['encoding'], medium: Medium = 'memory', segmentKiB = 16): Shape {
  const segmentBytes = segmentKiB * 1024
  return { keys, encoding, medium, segmentBytes, capacityBytes: segments * segmentBytes }
}

export const weightedShapes: readonly { readonly weight: number; readonly shape: Shape }[] = [
  { weight: 8, shape: shape('ordered', 'msgpack') },
  { weight: 2, shape: shape('ordered', 'json') },
  { weight: 2, shape: shape('ordered', 'string') },
  { weight: 3, shape: shape('ordered', 'binary') },
  { weight: 2, shape: shape('ordered', 'custom') },
  { weight: 2, shape: shape('utf8', 'msgpack') },
  { weight: 2, shape: shape('utf8', 'string') },
  { weight: 2, shape: shape('binary', 'binary') },
  { weight: 1, shape: shape('binary', 'msgpack') },
  { weight: 1, shape: shape('ordered', 'msgpack', 'memory', 32) },
  { weight: 1, shape: shape('ordered', 'binary', 'memory', 32) },
  { weight: 2, shape: shape('ordered', 'msgpack', 'disk') },
  { weight: 1, shape: shape('binary', 'binary', 'disk') },
  { weight: 1, shape: shape('ordered', 'string', 'os') },
]

export function nameOf({ keys, encoding, medium, segmentBytes }: Shape): string {
  return `${keys}-${encoding}-${medium}-${segmentBytes}`
}

/** Strings as UTF-8, back to front; a value that is no string has no bytes. */
export const reversed: CustomEncoding = {
  name: 'reversed',
  encode(value) {
    if (value === 'refused') throw new RangeError('refused by the encoding')
    return typeof value === 'string' ? Buffer.from(value).reverse() : (value as Uint8Array)
  },
  decode: (bytes) => Buffer.from(bytes).reverse().toString(),
}

/** To create the store with, and to open it again. */
export function optionsOf({ keys, encoding, medium, segmentBytes, capacityBytes }: Shape): OpenOptions {
  return {
    keys,
    encoding: encoding === 'custom' ? reversed : encoding,
    segmentBytes,
    capacity: capacityBytes,
    checkpointBytes: '64KiB',
    durability: medium === 'os' ? 'relaxed' : 'sync',
  }
}

/** The namespaces that a store may get, whatever its own encodings are. */
export interface SpaceKind extends NamespaceOptions {
  readonly name: string
  readonly keys: KeyEncoding
  readonly encoding: NamedEncoding
}

export const spaceKinds: readonly SpaceKind[] = [
  { name: 'objects', keys: 'ordered', encoding: 'msgpack' },
  { name: 'bytes', keys: 'binary', encoding: 'binary' },
  { name: 'sessions', keys: 'utf8', encoding: 'json', ttl: 5e9 },
  { name: 'ü/texts', keys: 'ordered', encoding: 'string' },
]

export interface Sizes {
  /** Of a frame in a log segment. */
  readonly frameBytesMax: number
  /** The greatest value that lies in its record. */
  readonly inlineBytesMax: number
  /** The greatest value: as many pieces as its list can name. */
  readonly valueBytesMax: number
}

/** As native/log/log_writer.cc has them. */
export function sizesOf({ segmentBytes }: Shape): Sizes {
  const frameBytesMax = segmentBytes - 128 - 64
  const headBytes = 24 + 8 + 1984
  const quarter = Math.floor(frameBytesMax / 4 / 64) * 64
  const inlineBytesMax = quarter > 2 * headBytes ? quarter - headBytes : frameBytesMax - 32 - headBytes
  return { frameBytesMax, inlineBytesMax, valueBytesMax: Math.floor(inlineBytesMax / 16) * inlineBytesMax }
}

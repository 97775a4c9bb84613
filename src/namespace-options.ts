import type { NamespaceRecord } from './catalogue.ts'
import type { KeyEncoding, ValueEncoding } from './options.ts'
import { checkTtl } from './write-options.ts'

/** Recorded in the store when a namespace is made; later they may be left out, and must agree if they are given. */
export interface NamespaceOptions<V = unknown> {
  /** How keys are encoded and so ordered. Default 'ordered'. */
  readonly keys?: KeyEncoding
  /** How values are encoded. Default 'msgpack'. A custom one must be given each time. */
  readonly encoding?: ValueEncoding<V>
  /** Milliseconds that entries live unless they say otherwise. Default: for ever. */
  readonly ttl?: number
}

const names: readonly string[] = ['keys', 'encoding', 'ttl']

/** @throws TypeError, RangeError */
export function checkNamespaceOptions<V>(options: NamespaceOptions<V>): void {
  if (typeof options !== 'object' || (options as unknown) === null)
    throw new TypeError('The options of a namespace must be an object')
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`Unknown option '${name}' of a namespace`)
  }
  const { keys, encoding, ttl } = options
  if (keys !== undefined && !['ordered', 'utf8', 'binary'].includes(keys))
    throw new TypeError("Option 'keys' must be one of 'ordered', 'utf8', 'binary'")
  if (typeof encoding === 'object' && (encoding as unknown) !== null) {
    if (typeof encoding.encode !== 'function' || typeof encoding.decode !== 'function')
      throw new TypeError("Option 'encoding' must have the functions encode and decode, where it is an object")
  } else if (encoding !== undefined && !isNamed(encoding)) {
    throw new TypeError("Option 'encoding' must be one of 'msgpack', 'json', 'string', 'binary'")
  }
  if (ttl !== undefined && checkTtl(ttl) === Infinity) throw new RangeError("Option 'ttl' must be finite; leave it out")
}

const isNamed = (encoding: unknown): boolean => ['msgpack', 'json', 'string', 'binary'].includes(encoding as string)

/** What is recorded of a new namespace. */
export function recordOf<V>({ keys, encoding, ttl }: NamespaceOptions<V>): Omit<NamespaceRecord, 'id' | 'born'> {
  return {
    keys: keys ?? 'ordered',
    encoding: typeof encoding === 'object' ? 'custom' : (encoding ?? 'msgpack'),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
  }
}

/**
 * The value encoding to use with a namespace that was recorded, after a look whether the options agree with it.
 * @throws TypeError where they do not, or a custom encoding is missing
 */
export function agreedEncoding<V>(
  name: string,
  record: NamespaceRecord,
  options: NamespaceOptions<V>,
): ValueEncoding<V> {
  const differs = (option: string, recorded: unknown, asked: unknown): TypeError =>
    new TypeError(
      `Option '${option}' is '${String(asked)}', but the namespace '${name}' was made with '${String(recorded)}'; leave the option out`,
    )
  const { keys, encoding, ttl } = options
  if (keys !== undefined && keys !== record.keys) throw differs('keys', record.keys, keys)
  const asked = typeof encoding === 'object' ? 'custom' : encoding
  if (asked !== undefined && asked !== record.encoding) throw differs('encoding', record.encoding, asked)
  if (ttl !== undefined && ttl !== record.ttlMs) throw differs('ttl', record.ttlMs, ttl)
  if (record.encoding !== 'custom') return record.encoding
  if (typeof encoding === 'object') return encoding
  throw new TypeError(
    `The namespace '${name}' has a custom encoding; give the same { encode, decode } as option 'encoding'`,
  )
}

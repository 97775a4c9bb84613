import { KeyCodecCode, ValueCodecCode } from '../engine/engine.ts'
import type { Superblock } from '../layout/superblock.ts'
import type { KeyEncoding, ResolvedOptions, ValueEncoding } from '../options.ts'

/** The encodings that a store is opened with. */
export interface StoreCodecs {
  readonly keys: KeyEncoding
  readonly encoding: ValueEncoding
}

/**
 * Takes the encodings from the store and checks that the options agree.
 * @throws TypeError where they do not
 */
export function chooseCodecs(superblock: Superblock, options: ResolvedOptions): StoreCodecs {
  const keys = nameOf(KeyCodecCode, superblock.keyCodec)
  if (options.keys !== undefined && options.keys !== keys) throw mismatch('keys', keys, options.keys)

  const stored = nameOf(ValueCodecCode, superblock.valueCodec)
  const asked = typeof options.encoding === 'object' ? 'custom' : options.encoding
  if (asked !== undefined && asked !== stored) throw mismatch('encoding', stored, asked)
  if (stored !== 'custom') return { keys, encoding: stored }
  if (typeof options.encoding === 'object') return { keys, encoding: options.encoding }
  throw new TypeError("The store has a custom encoding; give the same { encode, decode } as option 'encoding'")
}

function nameOf<N extends string>(codes: Readonly<Record<N, number>>, code: number): N {
  for (const name in codes) if (codes[name] === code) return name
  throw new TypeError(`Unknown codec ${code}`)
}

function mismatch(option: string, stored: string, asked: string): TypeError {
  return new TypeError(
    `Option '${option}' is '${asked}', but the store was created with '${stored}'; leave the option out`,
  )
}

import {
  DomainCode,
  DurabilityCode,
  KeyCodecCode,
  type NativeCreateOptions,
  type NativeGrowthOptions,
  type NativeOpenOptions,
  ValueCodecCode,
} from '../engine/engine.ts'
import type { KeyEncoding, NamedEncoding, ResolvedOptions } from '../options.ts'

/** What a store is created with where the options leave it open. */
export const keysDefault: KeyEncoding = 'ordered'
export const encodingDefault: NamedEncoding = 'msgpack'

/** Options for `createStore`. `progress` may be watched from outside, and [2] set to abort. */
export function nativeCreateOptions(
  options: ResolvedOptions,
  progress: BigInt64Array = new BigInt64Array(3),
): NativeCreateOptions {
  const encoding = options.encoding ?? encodingDefault
  return {
    capacityBytes: options.capacityBytes,
    segmentBytes: options.segmentBytes,
    tableCapacity: options.tableCapacity,
    durability: DurabilityCode[options.durability],
    requireDomain: DomainCode[options.require],
    keyCodec: KeyCodecCode[options.keys ?? keysDefault],
    valueCodec: typeof encoding === 'object' ? ValueCodecCode.custom : ValueCodecCode[encoding],
    flush: options.flush,
    progress,
  }
}

/** Options for `openRegion`. */
export function nativeOpenOptions(options: ResolvedOptions): NativeOpenOptions {
  return {
    readOnly: options.readOnly,
    besideWriter: options.readOnly,
    durability: DurabilityCode[options.durability],
    requireDomain: DomainCode[options.require],
    flush: options.flush,
    reserveBytes: options.autoGrow?.maxBytes ?? 0,
  }
}

/** Options for `setGrowth`. */
export function nativeGrowthOptions({ autoGrow }: ResolvedOptions, sealSequence: number): NativeGrowthOptions {
  return { stepBytes: autoGrow?.stepBytes ?? 0, maxBytes: autoGrow?.maxBytes ?? 0, sealSequence }
}

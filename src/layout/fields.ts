/** What a decoder found wrong. Blank: only zeros, so never written. */
export type Fault =
  | { readonly ok: false; readonly reason: 'blank' | 'magic' | 'checksum' | 'field' | 'short'; readonly offset: number }
  /** The structure is whole, but of another format version. */
  | {
      readonly ok: false
      readonly reason: 'version'
      readonly offset: number
      readonly version: number
      readonly sequence: number
    }

/** A decoded structure, or the fault and its offset from the start of the file. Decoders never throw. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | Fault

export function fault(reason: 'blank' | 'magic' | 'checksum' | 'field' | 'short', offset: number): Fault {
  return { ok: false, reason, offset }
}

export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

/**
 * Reads the little-endian fields of one structure and remembers the first that cannot be right, so that a decoder reads like
 * the structure's declaration and checks once, at the end.
 */
export class Fields {
  readonly #view: DataView
  readonly #base: number
  #wrong: number | undefined

  /** @param base of `bytes`, from the start of the file */
  constructor(bytes: Uint8Array, base: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#base = base
  }

  u8(at: number): number {
    return this.#view.getUint8(at)
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true)
  }

  /** Refuses what a number cannot hold exactly. */
  u64(at: number): number {
    const value = this.u32(at + 4) * 2 ** 32 + this.u32(at)
    this.require(Number.isSafeInteger(value), at)
    return value
  }

  /** All 64 bits. */
  bits(at: number): bigint {
    return this.#view.getBigUint64(at, true)
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length).slice()
  }

  /** NUL-padded text. */
  text(at: number, length: number): string {
    const bytes = this.bytes(at, length)
    const end = bytes.indexOf(0)
    return Buffer.from(bytes.subarray(0, end < 0 ? length : end)).toString('latin1')
  }

  /** Remembers the field at `at` as wrong where `holds` is false. */
  require(holds: boolean, at: number): void {
    if (!holds) this.#wrong ??= at
  }

  /** The structure, unless a field was wrong. */
  result<T>(value: T): Decoded<T> {
    return this.#wrong === undefined ? { ok: true, value } : fault('field', this.#base + this.#wrong)
  }
}

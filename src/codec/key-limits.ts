import { SealogError } from '../errors.ts'
import { layoutConstants } from '../layout/constants.ts'

export const keyBytesMax: number = layoutConstants.kKeyBytesMax

/** Bytes that must be free behind the place where a key is written, so that its loops can check after each character. */
export const keyRoomBytes = keyBytesMax + 8

/** @throws RangeError where `target` has less than {@link keyRoomBytes} behind `at`: the caller's buffer is wrong, not the key */
export function checkRoom(target: Uint8Array, at: number): void {
  if (target.length - at < keyRoomBytes) throw new RangeError(`A key needs ${keyRoomBytes} bytes of room`)
}

/** Passes a key's length on. @throws SealogError ERR_SEALOG_KEY_TOO_LARGE */
export function checkKeyBytes(bytes: number): number {
  if (bytes <= keyBytesMax) return bytes
  throw keyTooLarge()
}

export function keyTooLarge(): SealogError {
  return new SealogError(
    'ERR_SEALOG_KEY_TOO_LARGE',
    `The key is larger than ${keyBytesMax} bytes when encoded; keep keys short, and put the rest into the value`,
  )
}

/** What a wrong key is, for a message. */
export function describeKey(key: unknown): string {
  if (key === '') return 'an empty string'
  if (key instanceof Uint8Array) return key.length === 0 ? 'an empty Uint8Array' : 'a Uint8Array'
  if (Array.isArray(key)) return 'an array'
  return key === null ? 'null' : typeof key === 'object' ? 'an object' : `a value of type ${typeof key}`
}

import { keyTooLarge } from './key-limits.ts'

/** The text in `[start, end)`, which must be within the buffer: what Buffer.prototype.toString ends up with, by the way that is shorter. */
export function getUtf8(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & { utf8Slice(start: number, end: number): string }).utf8Slice(start, end)
}

/**
 * Writes a string as UTF-8. The caller has checked the room: at most 3 bytes are written at or behind `limit`.
 * @returns the end
 * @throws TypeError for a lone surrogate; SealogError ERR_SEALOG_KEY_TOO_LARGE where it does not end by `limit`
 */
export function putUtf8(text: string, target: Uint8Array, at: number, limit: number): number {
  return putText(text, target, at, limit, 0)
}

/**
 * As {@link putUtf8}, and every byte below `escapeBelow` gets the byte 4 before it, so that 0 can separate what is written.
 * The order of strings stays that of their code points: 4 is the largest byte that is escaped.
 */
export function putText(text: string, target: Uint8Array, at: number, limit: number, escapeBelow: number): number {
  // Most keys are ASCII from end to end, and short enough to be: nothing else is asked of each character then.
  let i = 0
  const { length } = text
  if (length <= limit - at) {
    for (; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80 || unit < escapeBelow) break
      target[at + i] = unit
    }
    at += i
  }
  for (; i < length; i++) {
    if (at >= limit) throw keyTooLarge()
    let unit = text.charCodeAt(i)
    if (unit < 0x80) {
      if (unit < escapeBelow) target[at++] = 4
      target[at++] = unit
    } else if (unit < 0x800) {
      target[at++] = (unit >> 6) | 0xc0
      target[at++] = (unit & 0x3f) | 0x80
    } else if ((unit & 0xf800) !== 0xd800) {
      target[at++] = (unit >> 12) | 0xe0
      target[at++] = ((unit >> 6) & 0x3f) | 0x80
      target[at++] = (unit & 0x3f) | 0x80
    } else {
      const low = text.charCodeAt(++i)
      if (unit >= 0xdc00 || (low & 0xfc00) !== 0xdc00) {
        throw new TypeError('A key must be a well-formed string; this one has a lone surrogate')
      }
      unit = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff)
      target[at++] = (unit >> 18) | 0xf0
      target[at++] = ((unit >> 12) & 0x3f) | 0x80
      target[at++] = ((unit >> 6) & 0x3f) | 0x80
      target[at++] = (unit & 0x3f) | 0x80
    }
  }
  if (at > limit) throw keyTooLarge()
  return at
}

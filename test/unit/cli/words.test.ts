import { describe, expect, it } from 'vitest'
import { formatBytes, wrap } from '../../../src/cli/words.ts'

describe('words', () => {
  it('formats bytes with binary units', () => {
    expect([0, 1023, 1024, 1536, 8 * 2 ** 20, 79.6 * 2 ** 30].map(formatBytes)).toEqual([
      '0 bytes',
      '1023 bytes',
      '1 KiB',
      '1.5 KiB',
      '8 MiB',
      '79.6 GiB',
    ])
  })

  it('wraps between words, and leaves a word that is too long whole', () => {
    expect(wrap('one two three', 9, '- ', '  ')).toEqual(['- one two', '  three'])
    expect(wrap('a_very_long_word x', 6, '- ', '  ')).toEqual(['- a_very_long_word', '  x'])
    expect(wrap('', 6, '- ', '  ')).toEqual(['- '])
  })
})

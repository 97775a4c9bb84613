import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compareLayout, expectedLayout } from '../../../src/engine/binding.ts'
import { layoutConstants, superblockMagic } from '../../../src/layout/constants.ts'

describe('the layout comparison', () => {
  it('accepts the same numbers, in any order', () => {
    const theirs = Object.fromEntries(Object.entries(expectedLayout()).reverse())
    expect(compareLayout(theirs)).toEqual([])
  })

  it('names each number that differs or is missing on one side', () => {
    const rest = Object.fromEntries(Object.entries(expectedLayout()).filter(([name]) => name !== 'kLineBytes'))
    expect(compareLayout({ ...rest, kLeafBytes: 1, kNew: 3 })).toEqual([
      'kLineBytes is absent, not 64',
      'kLeafBytes is 1, not 512',
      'kNew is 3, not absent',
    ])
  })

  it('knows the status numbers by their native names', () => {
    expect(expectedLayout()).toMatchObject({ 'Status.kOk': 0, 'Status.kAbsent': 33 })
  })
})

describe('constants', () => {
  const headers = ['layout', 'log_format', 'meta', 'node_format']
    .map((name) => readFileSync(new URL(`../../../native/format/${name}.h`, import.meta.url), 'utf8'))
    .join('\n')
    .replace(/\/\/.*/g, '')

  /** The value of a C++ constant that is a number, a shift or a product of them. */
  const native = (name: string): number | undefined => {
    const pattern = name.startsWith('SegmentType.')
      ? new RegExp(`\\b${name.slice(12)} = (\\d+)`)
      : new RegExp(`\\b${name.replace(/\..*/, '')}(?:\\[2\\])? = ([^;,}]+(?:, \\d[^;}\\n]*)?)`)
    let text = pattern.exec(headers)?.[1]?.replace(/[{}]/g, '')
    if (text === undefined) return undefined
    if (/\.[01]$/.test(name)) text = text.split(',')[Number(name.at(-1))]!
    const evaluated = text
      .replace(/kLineBytes/g, '64')
      .replace(/(\d)(?:ull|u)\b/g, '$1')
      .replace(/(0x[0-9a-f]+)u\b/g, '$1')
      .split('*')
      .map((factor) => factor.split('<<').map(Number))
      .map(([base, shift]) => base! * 2 ** (shift ?? 0))
      .reduce((a, b) => a * b)
    return evaluated
  }

  it.each(Object.entries(layoutConstants))('%s is %d in native/format', (name, value) => {
    expect(native(name)).toBe(value)
  })

  it('the magic spells its name', () => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(superblockMagic)
    expect(bytes.toString('latin1')).toBe('SEALOG\r\n')
  })
})

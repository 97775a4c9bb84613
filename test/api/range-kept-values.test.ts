// Byte arrays that a range hands out are the caller's: entries share copies of 8 KiB, and a block is filled again and again.
import { describe, expect, it } from 'vitest'
import { openScratch } from '../support/scratch.ts'

const lengths = [0, 1, 100, 100, 100, 4000, 8171, 8172, 8192, 20_000, 70_000]
const valueOf = (n: number): Buffer => Buffer.alloc(lengths[n % lengths.length] ?? 0, n)
const count = 500

describe.each([false, true])('the values of a range (reverse: %s)', (reverse) => {
  it('stay as they were, however large they and their neighbours are', () => {
    const db = openScratch<Uint8Array>({ encoding: 'binary', capacity: '64MiB', segmentBytes: '1MiB' })
    for (let n = 0; n < count; n++) db.putSync(n, valueOf(n))
    const order = Array.from({ length: count }, (_, i) => (reverse ? count - 1 - i : i))
    const entries = [...db.range({ reverse })]
    const values = [...db.values({ reverse })]
    // Whatever else is read and written now uses the memory that was not handed out.
    for (let n = 0; n < count; n++) db.putSync(n, Buffer.alloc(50, 255))
    expect([...db.values()].every((value) => value.length === 50 && value[49] === 255)).toBe(true)
    expect(entries.map(({ key }) => key)).toEqual(order)
    for (const [i, n] of order.entries()) {
      expect(valueOf(n).equals(entries[i]?.value ?? Buffer.alloc(1)), `entry ${n}`).toBe(true)
      expect(valueOf(n).equals(values[i] ?? Buffer.alloc(1)), `value ${n}`).toBe(true)
    }
  })

  it('are Buffers, hold on to little, and do not show each other when written to', () => {
    const db = openScratch<Uint8Array>({ encoding: 'binary' })
    for (let n = 0; n < count; n++) db.putSync(n, Buffer.alloc(100, n))
    const values = [...db.values({ reverse })]
    for (const value of values) {
      expect(Object.getPrototypeOf(value)).toBe(Buffer.prototype)
      expect(value.buffer.byteLength).toBeLessThanOrEqual(8192)
    }
    values[0]?.fill(1)
    expect(values[1]?.[0]).toBe(reverse ? (count - 2) & 0xff : 1 & 0xff)
    expect(values[1]?.[99]).toBe(values[1]?.[0])
    expect(db.get(reverse ? count - 1 : 0)?.[0]).toBe(reverse ? (count - 1) & 0xff : 0)
  })
})

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { check, checkObject } from '../../../src/engine/engine.ts'
import { errorFromStatus, Status } from '../../../src/engine/status.ts'
import { isSealogError, SealogError } from '../../../src/errors.ts'

const refusals = Object.entries(Status).filter(
  ([name]) => !['Ok', 'NotFound', 'ValueOutside', 'KeyNeedsEncoding', 'Invalid', 'Opening', 'BeingRead'].includes(name),
)

describe('status numbers', () => {
  it('are those of native/base/status.h', () => {
    const header = readFileSync(new URL('../../../native/base/status.h', import.meta.url), 'utf8')
    const theirs = [...header.matchAll(/^ {2}k(\w+) = (\d+),/gm)].map(([, name, value]) => [name, Number(value)])
    expect(Object.entries(Status)).toEqual(theirs)
  })

  it.each(refusals)('%s has a code of its own and says what to do', (name, status) => {
    const error = errorFromStatus(status, null, { path: '/a/store' })
    expect(error.code).toBe(
      `ERR_SEALOG_${name.replace(/(?!^)(?=[A-Z])/g, '_').toUpperCase()}`.replace('READ_ONLY', 'READONLY'),
    )
    expect(error.message).toMatch(/^[^;]+\(\/a\/store\); \w+/)
  })

  it('that should never be seen are internal errors', () => {
    for (const status of [Status.Ok, Status.Invalid, Status.NotFound, Status.Opening, Status.BeingRead, 9999]) {
      expect(errorFromStatus(status)).toMatchObject({
        code: 'ERR_SEALOG_INTERNAL',
        message: expect.stringContaining(String(status)) as string,
      })
    }
  })
})

describe('errors from native', () => {
  const failure = {
    status: Status.Io,
    errno: 28,
    syscall: 'pwrite',
    offset: 4096,
    detail: 'the log could not be written',
  }

  it('carry what Node errors carry', () => {
    const error = errorFromStatus(Status.Io, failure, { path: '/a', report: { x: 1 } })
    expect(error).toMatchObject({
      name: 'SealogError',
      errno: -28,
      syscall: 'pwrite',
      offset: 4096,
      path: '/a',
      report: { x: 1 },
    })
    expect(error.message).toContain('the log could not be written [pwrite failed with errno 28]')
    expect(Object.keys(errorFromStatus(Status.Full))).toEqual(['name', 'code'])
  })

  it('come from check, with details only where they belong to this answer', () => {
    expect(check({ lastError: () => null }, 5)).toBe(5)
    expect(() => check({ lastError: () => failure }, -Status.Io)).toThrow(/pwrite/)
    const stale = () => check({ lastError: () => failure }, -Status.Full)
    expect(stale).toThrow(expect.objectContaining({ code: 'ERR_SEALOG_FULL' }))
    expect(stale).not.toThrow(/pwrite/)
    expect(checkObject({ lastError: () => null }, { a: 1 })).toEqual({ a: 1 })
    expect(() => checkObject({ lastError: () => null }, -Status.Closed)).toThrow(
      expect.objectContaining({ code: 'ERR_SEALOG_CLOSED' }),
    )
    expect(() => checkObject({ lastError: () => null }, 0)).toThrow(
      expect.objectContaining({ code: 'ERR_SEALOG_INTERNAL' }),
    )
  })
})

describe('SealogError', () => {
  it('is an Error with a code, a cause where there is one, and nothing undefined', () => {
    const cause = new Error('why')
    const error = new SealogError('ERR_SEALOG_CORRUPT', 'what', { cause, offset: 0 })
    expect(error).toBeInstanceOf(Error)
    expect(error.cause).toBe(cause)
    expect(error.offset).toBe(0)
    expect('cause' in new SealogError('ERR_SEALOG_FULL', 'x')).toBe(false)
    expect('path' in error).toBe(false)
    expect(String(error)).toBe('SealogError: what')
  })

  it('is recognised by its code', () => {
    const error = new SealogError('ERR_SEALOG_FULL', 'x')
    expect([
      isSealogError(error),
      isSealogError(error, 'ERR_SEALOG_FULL'),
      isSealogError(error, 'ERR_SEALOG_IO'),
    ]).toEqual([true, true, false])
    expect(isSealogError(new Error('x'))).toBe(false)
  })
})

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { SealogError, type SealogErrorCode } from '../../src/index.ts'

/** As toEqual, but quick with large byte arrays. */
export function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected)
}

/** The error that a call throws. */
export function errorOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('it was expected to throw')
}

/** The error that a promise is rejected with; the call itself must not throw. */
export function rejectionOf(call: () => Promise<unknown>): Promise<unknown> {
  return call().then(
    () => {
      throw new Error('it was expected to reject')
    },
    (error: unknown) => error,
  )
}

/** What a SealogError must be like: its code, and a message that says what to do. */
export function expectRefusal(error: unknown, code: SealogErrorCode): SealogError {
  expect(error).toBeInstanceOf(SealogError)
  const refusal = error as SealogError
  expect(refusal.code, refusal.message).toBe(code)
  expect(refusal.message).toMatch(/.+; .+/)
  return refusal
}

/** Everything in the directory of a store, by content. */
function contentOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory).map((name) => {
      const path = `${directory}/${name}`
      const stat = statSync(path, { throwIfNoEntry: false })
      return [name, stat?.isFile() ? readFileSync(path, 'latin1') : `${stat?.mode ?? 'nothing'}`]
    }),
  )
}

/** The call refuses with this code, and every file beside the store, and it itself, is byte for byte what it was. */
export function expectRefusedUntouched(path: string, call: () => unknown, code: SealogErrorCode): SealogError {
  const before = contentOf(dirname(path))
  const refusal = expectRefusal(errorOf(call), code)
  expect(isDeepStrictEqual(contentOf(dirname(path)), before), 'a file was changed').toBe(true)
  return refusal
}

/** As {@link expectRefusedUntouched}, for a mistake of the caller's. */
export function expectMistakeUntouched(path: string, call: () => unknown, kind: typeof TypeError): void {
  const before = contentOf(dirname(path))
  const error = errorOf(call)
  expect(error).toBeInstanceOf(kind)
  expect((error as Error).name).toBe(kind.name)
  expect(isDeepStrictEqual(contentOf(dirname(path)), before), 'a file was changed').toBe(true)
}

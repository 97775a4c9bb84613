import { inspect, isDeepStrictEqual } from 'node:util'
import { SealogError, type SealogErrorCode } from '../../src/index.ts'

/** What was seen is not what the model says. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch'
}

/** Short enough for a report. */
export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name} ${(value as { code?: string }).code ?? ''} ${value.message}`
  return inspect(value, { depth: 5, maxArrayLength: 12, maxStringLength: 80, breakLength: Infinity })
}

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new Mismatch(`${what}: got ${show(actual)}, expected ${show(expected)}`)
}

export function expectTrue(holds: boolean, what: string): void {
  if (!holds) throw new Mismatch(what)
}

export type ExpectedError = SealogErrorCode | 'TypeError' | 'RangeError'

export function isExpected(error: unknown, expected: ExpectedError): boolean {
  if (error instanceof SealogError) return error.code === expected
  return error instanceof Error && error.name === expected && !('code' in error)
}

export function expectError(error: unknown, expected: ExpectedError, what: string): void {
  if (!isExpected(error, expected)) throw new Mismatch(`${what}: got ${show(error)}, expected ${expected}`)
}

/** The call throws just that. */
export function expectThrow(call: () => unknown, expected: ExpectedError, what: string): void {
  let answer: unknown
  try {
    answer = call()
  } catch (error) {
    expectError(error, expected, what)
    return
  }
  throw new Mismatch(`${what}: got ${show(answer)}, expected ${expected}`)
}

/** The call does not throw, and its promise is rejected with just that. */
export async function expectRejection(
  call: () => Promise<unknown>,
  expected: ExpectedError,
  what: string,
): Promise<void> {
  const promise = call()
  let answer: unknown
  try {
    answer = await promise
  } catch (error) {
    expectError(error, expected, what)
    return
  }
  throw new Mismatch(`${what}: got ${show(answer)}, expected ${expected}`)
}

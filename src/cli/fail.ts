import { isSealogError } from '../index.ts'

/** One line on stderr for what a user can be told; anything else is thrown. @returns the exit code */
export function fail(error: unknown): 1 {
  const expected = isSealogError(error) || error instanceof TypeError || error instanceof RangeError
  // Node's own errors of a stream: a pipe that was closed, for example.
  if (!expected && typeof (error as NodeJS.ErrnoException | null)?.syscall !== 'string') throw error
  process.stderr.write(`sealog: ${error instanceof Error ? error.message.replace(/\s*\n\s*/g, ' ') : String(error)}\n`)
  return 1
}

// Programs run to their end, and the error that means: not here.
import { spawnSync } from 'node:child_process'

/** This machine cannot run the lane; the message is the reason. */
export class Skip extends Error {}

/** Runs a program to its end. @returns its standard output @throws Error with its output, if it fails or takes too long */
export function call(program, args, { timeoutMs = 120_000, encoding = 'utf8', ...options } = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    encoding,
    maxBuffer: 2 ** 30,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...options,
  })
  if (error === undefined && status === 0) return stdout
  const reason = error?.message ?? (signal ? `killed by ${signal}` : `exit ${status}`)
  throw new Error(
    `${program} ${args.join(' ').slice(0, 300)}: ${reason}\n${stdout ?? ''}${stderr ?? ''}`.slice(0, 4_000),
  )
}

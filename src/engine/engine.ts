import { loadBinding } from './binding.ts'
import type { Native } from './native.ts'
import { errorFromStatus, type FailureContext } from './status.ts'

export type * from './native.ts'
export {
  BatchOp,
  DomainCode,
  DurabilityCode,
  KeyCodecCode,
  RangeFlag,
  Space,
  ValueCodecCode,
  WriteFlag,
} from './native.ts'

/** The native engine, as the rest of Sealog sees it. Hot calls go to it directly; {@link check} turns an answer into an error. */
export type Engine = Native

let loaded: Engine | undefined

/**
 * The engine of this process, loaded at the first call.
 * @throws Error if the addon is missing, does not load, or was built from other sources
 */
export function loadEngine(): Engine {
  return (loaded ??= loadBinding())
}

/**
 * Passes an answer `>= 0` on and throws for one `< 0`. For cold calls, and for the failing end of hot ones.
 * @throws SealogError
 */
export function check(engine: Pick<Engine, 'lastError'>, answer: number, context?: FailureContext): number {
  if (answer >= 0) return answer
  const failure = engine.lastError()
  throw errorFromStatus(-answer, failure?.status === -answer ? failure : null, context)
}

/** As {@link check}, for calls that answer with an object. */
export function checkObject<T extends object>(
  engine: Pick<Engine, 'lastError'>,
  answer: T | number,
  context?: FailureContext,
): T {
  if (typeof answer === 'object') return answer
  check(engine, answer, context)
  throw errorFromStatus(0, null, context)
}

import { SealogError } from '../errors.ts'
import { errorFromStatus, type Failure, Status } from './status.ts'

/** Why a store has not grown. */
export function growthError(status: number, failure: Failure | null, path: string, bytes: number): SealogError {
  if (status === Status.Capacity && failure) {
    const report = { bytesMax: failure.offset }
    return errorFromStatus(status, { ...failure, offset: 0 }, { path, report })
  }
  if (status !== Status.NoSpace) return errorFromStatus(status, failure, { path })
  const message =
    `The file system has no room for the store to grow (${path}); it goes on with its ${bytes} bytes. ` +
    'Free space or raise the quota, or grow by less'
  return new SealogError('ERR_SEALOG_NO_SPACE', message, {
    path,
    ...(failure ? { syscall: failure.syscall, errno: -failure.errno } : {}),
  })
}

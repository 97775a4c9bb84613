import { Status } from './engine/status.ts'
import type { Keyspace } from './keyspace.ts'

/** Reads a value within a callback: {@link ReadView.view}. @param snapshot 0 for the newest state */
export function viewValue<T>(
  keyspace: Keyspace,
  key: unknown,
  snapshot: number,
  callback: (bytes: Uint8Array) => T,
): T | undefined {
  if (typeof callback !== 'function') throw new TypeError('A callback is needed')
  const { session, code } = keyspace
  const { engine, handle } = session
  session.assertOpen()
  let bytes: Uint8Array | undefined
  const answer = keyspace.withKey(key, (k) => {
    const opened = engine.openView(handle, k, code, snapshot)
    if (typeof opened === 'number') return opened
    bytes = opened
    return 0
  })
  if (answer === -Status.NotFound) return undefined
  if (bytes === undefined) throw session.failure(answer)
  let closed: number
  let result: T
  try {
    result = callback(bytes)
  } finally {
    // It may have closed the store, which has ended the view.
    closed = engine.closeView(handle)
  }
  if (result instanceof Promise) throw new TypeError('The callback of view must not be asynchronous; use get')
  if (closed < 0 && closed !== -Status.Closed) throw session.failure(closed)
  return result
}

import { check } from './engine/engine.ts'
import type { NativeSession } from './native-session.ts'

/** Holds on to the newest state, as a checkpoint, while `work` reads it; it is let go in every case. */
export async function withPin<T>(session: NativeSession, work: (pin: number) => Promise<T>): Promise<T> {
  session.assertOpen()
  const { engine, handle, path } = session
  let pin: number | undefined
  try {
    pin = check(engine, engine.pinState(handle), { path })
    return await work(pin)
  } catch (error) {
    session.noticePoison()
    throw error
  } finally {
    // Of a store that was closed meanwhile nothing is left to let go.
    if (pin !== undefined) engine.unpin(handle, pin)
  }
}

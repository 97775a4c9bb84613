import { AsyncLocalStorage } from 'node:async_hooks'
import { SealogError } from './errors.ts'

/** A transaction whose callback runs. */
export interface RunningTransaction {
  readonly running: boolean
}

/**
 * Refuses writes that go past a transaction from within its callback: they would not be rolled back with it, and it would not see
 * them. Costs a comparison while no transaction runs.
 */
export class WriteGate {
  /** Of a synchronous transaction: nothing else can run meanwhile. */
  #sync: RunningTransaction | undefined
  #asyncCount = 0
  #callers: AsyncLocalStorage<RunningTransaction> | undefined

  /** @throws SealogError ERR_SEALOG_TRANSACTION inside of a transaction's callback */
  assertOutside(): void {
    if (this.#sync === undefined && this.#asyncCount === 0) return
    if (this.#sync !== undefined || this.#callers?.getStore()?.running === true) {
      throw new SealogError(
        'ERR_SEALOG_TRANSACTION',
        'A transaction is running, and this is not part of it; use what the callback was given instead of the store',
      )
    }
  }

  runSync<T>(transaction: RunningTransaction, callback: () => T): T {
    this.#sync = transaction
    try {
      return callback()
    } finally {
      this.#sync = undefined
    }
  }

  async run<T>(transaction: RunningTransaction, callback: () => Promise<T>): Promise<T> {
    this.#callers ??= new AsyncLocalStorage()
    this.#asyncCount++
    try {
      return await this.#callers.run(transaction, callback)
    } finally {
      this.#asyncCount--
    }
  }
}

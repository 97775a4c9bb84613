import {
  openChannel,
  type OpenFailedMessage,
  type OpenedMessage,
  publish,
  recoveryChannel,
  type RecoveryMessage,
  sealBrokenChannel,
  type SealBrokenMessage,
} from './diagnostics.ts'
import type { RecoveredStore } from './recovery/recover.ts'

/** What one call of open or openAsync tells. */
export class OpenTelling {
  readonly #path: string
  readonly #readOnly: boolean
  readonly #startedMs = performance.now()

  /** @returns undefined while nobody listens */
  static begin(path: string, { readOnly }: { readonly readOnly: boolean }): OpenTelling | undefined {
    const wanted = openChannel.hasSubscribers || recoveryChannel.hasSubscribers || sealBrokenChannel.hasSubscribers
    return wanted ? new OpenTelling(path, readOnly) : undefined
  }

  private constructor(path: string, readOnly: boolean) {
    this.#path = path
    this.#readOnly = readOnly
  }

  opened(store: RecoveredStore): void {
    const durationMs = performance.now() - this.#startedMs
    if (!store.shared) tellRecovered(store, 'open')
    if (!openChannel.hasSubscribers) return
    publish(openChannel, {
      path: this.#path,
      durationMs,
      readOnly: this.#readOnly,
      created: !store.shared && store.recovery.outcome === 'created',
      shared: store.shared,
      domain: store.info.domain,
      seal: store.seal.level,
    } satisfies OpenedMessage)
  }

  failed(error: unknown): void {
    if (!openChannel.hasSubscribers) return
    const durationMs = performance.now() - this.#startedMs
    const message = { path: this.#path, durationMs, readOnly: this.#readOnly, error } satisfies OpenFailedMessage
    publish(openChannel, message)
  }
}

/** What was found by reading the store from its file. */
export function tellRecovered(
  { info: { path }, recovery, brokenSeal, seal }: RecoveredStore,
  by: 'open' | 'refresh',
): void {
  if (recoveryChannel.hasSubscribers) publish(recoveryChannel, { path, by, ...recovery } satisfies RecoveryMessage)
  if (brokenSeal === undefined || !sealBrokenChannel.hasSubscribers) return
  publish(sealBrokenChannel, { path, by, ...brokenSeal, verified: seal.verified } satisfies SealBrokenMessage)
}

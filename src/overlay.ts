/** A change that a transaction has made and not committed. */
export interface PendingChange {
  /** The whole key. */
  readonly key: Buffer
  /** undefined: removed. */
  readonly value: Uint8Array | undefined
  /** Unix milliseconds; undefined: never. */
  readonly expires: number | undefined
}

interface Undo {
  readonly name: string
  readonly before: PendingChange | undefined
}

/** What a transaction has changed in one namespace, by key. Keys are compared as Latin-1 strings, whose order is that of the bytes. */
export class Overlay {
  readonly #changes = new Map<string, PendingChange>()
  /** The names in order; undefined after a new one came. */
  #sorted: string[] | undefined
  #journal: Undo[] | undefined

  get size(): number {
    return this.#changes.size
  }

  get(name: string): PendingChange | undefined {
    return this.#changes.get(name)
  }

  values(): IterableIterator<PendingChange> {
    return this.#changes.values()
  }

  set(name: string, change: PendingChange): void {
    const before = this.#changes.get(name)
    if (before === undefined) this.#sorted = undefined
    this.#journal?.push({ name, before })
    this.#changes.set(name, change)
  }

  /** From now on changes can be taken back. @returns where to go back to */
  mark(): number {
    this.#journal ??= []
    return this.#journal.length
  }

  /** Takes back what was changed since. */
  rollback(mark: number): void {
    for (const { name, before } of this.#journal?.splice(mark).reverse() ?? []) {
      if (before === undefined) {
        this.#changes.delete(name)
        this.#sorted = undefined
      } else {
        this.#changes.set(name, before)
      }
    }
  }

  /** The names in a range, in order, as they are now. */
  namesBetween(includes: (name: string) => boolean, reverse: boolean): string[] {
    this.#sorted ??= [...this.#changes.keys()].sort((a, b) => (a < b ? -1 : 1))
    const names = this.#sorted.filter(includes)
    return reverse ? names.reverse() : names
  }
}

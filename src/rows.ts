/**
 * An iterator with the lazy and eager helpers of JavaScript's own iterators, which Node has only from version 22 on. A lazy helper
 * takes this iterator over: use the one or the other. Leaving a loop closes all of them.
 */
export abstract class Rows<T> implements IterableIterator<T, undefined, undefined> {
  abstract next(): IteratorResult<T, undefined>
  abstract return(): { done: true; value: undefined }

  [Symbol.iterator](): this {
    return this
  }

  [Symbol.dispose](): void {
    this.return()
  }

  /** Lazy: what `mapper` makes of each. */
  map<U>(mapper: (row: T, index: number) => U): Rows<U> {
    return new LazyRows(mapped(this, mapper), this)
  }

  /** Lazy: those that `predicate` is true of. */
  filter(predicate: (row: T, index: number) => unknown): Rows<T> {
    return new LazyRows(filtered(this, predicate), this)
  }

  /** Lazy: the first `count`. */
  take(count: number): Rows<T> {
    return new LazyRows(taken(this, checkCount(count)), this)
  }

  /** Lazy: those behind the first `count`. For ranges the option `offset` is faster. */
  drop(count: number): Rows<T> {
    return new LazyRows(dropped(this, checkCount(count)), this)
  }

  toArray(): T[] {
    return [...this]
  }

  forEach(action: (row: T, index: number) => void): void {
    let index = 0
    for (const row of this) action(row, index++)
  }

  reduce<U>(reducer: (result: U, row: T, index: number) => U, initial: U): U {
    let result = initial
    let index = 0
    for (const row of this) result = reducer(result, row, index++)
    return result
  }

  some(predicate: (row: T, index: number) => unknown): boolean {
    let index = 0
    for (const row of this) if (predicate(row, index++)) return true
    return false
  }

  every(predicate: (row: T, index: number) => unknown): boolean {
    return !this.some((row, index) => !predicate(row, index))
  }

  find(predicate: (row: T, index: number) => unknown): T | undefined {
    let index = 0
    for (const row of this) if (predicate(row, index++)) return row
    return undefined
  }
}

/** Rows out of a generator, and what it takes them from. */
export class LazyRows<T> extends Rows<T> {
  readonly #source: Generator<T, undefined, undefined>
  readonly #rows: Rows<unknown> | undefined

  constructor(source: Generator<T, undefined, undefined>, rows?: Rows<unknown>) {
    super()
    this.#source = source
    this.#rows = rows
  }

  next(): IteratorResult<T, undefined> {
    return this.#source.next()
  }

  return(): { done: true; value: undefined } {
    this.#source.return(undefined)
    // A generator that has not begun does not do it.
    this.#rows?.return()
    return { done: true, value: undefined }
  }
}

function* mapped<T, U>(rows: Rows<T>, mapper: (row: T, index: number) => U): Generator<U, undefined, undefined> {
  let index = 0
  for (const row of rows) yield mapper(row, index++)
  return undefined
}

function* filtered<T>(
  rows: Rows<T>,
  predicate: (row: T, index: number) => unknown,
): Generator<T, undefined, undefined> {
  let index = 0
  for (const row of rows) if (predicate(row, index++)) yield row
  return undefined
}

function* taken<T>(rows: Rows<T>, count: number): Generator<T, undefined, undefined> {
  let left = count
  if (left > 0) {
    for (const row of rows) {
      yield row
      if (--left === 0) break
    }
  }
  rows.return()
  return undefined
}

function* dropped<T>(rows: Rows<T>, count: number): Generator<T, undefined, undefined> {
  let left = count
  for (const row of rows) {
    if (left > 0) left--
    else yield row
  }
  return undefined
}

function checkCount(count: number): number {
  if (count === Infinity || (Number.isSafeInteger(count) && count >= 0)) return count
  throw new RangeError('A count of rows must be a whole number from 0 on, or Infinity')
}

// What the types promise to callers: `npm run check:types` fails where one of these is not so.
/* eslint-disable @typescript-eslint/no-confusing-void-expression -- void is what is expected */
import { describe, expectTypeOf, it } from 'vitest'
import {
  type BatchOperation,
  type Change,
  type Entry,
  type Namespace,
  open,
  openAsync,
  type RangeIterator,
  type ReadView,
  type Rows,
  type Snapshot,
  type Store,
  type Table,
  type Transaction,
  type VersionedValue,
} from '../../src/index.ts'

interface User {
  readonly name: string
}

declare const db: Store<User, string>
declare const users: Namespace<User, number>
declare const snapshot: Snapshot<User, string>
declare const tx: Transaction<User, string>

describe('open', () => {
  it('has unknown values and any key, unless told', () => {
    expectTypeOf(open('path')).toEqualTypeOf<Store>()
    expectTypeOf(open<User>('path')).toEqualTypeOf<Store<User>>()
    expectTypeOf(openAsync<User, string>('path')).toEqualTypeOf<Promise<Store<User, string>>>()
  })

  it('takes the type of values from an encoding', () => {
    const encoding = { encode: (date: Date) => Buffer.from(date.toISOString()), decode: () => new Date() }
    expectTypeOf(open('path', { encoding })).toEqualTypeOf<Store<Date>>()
    expectTypeOf(db.namespace('dates', { encoding })).toEqualTypeOf<Namespace<Date>>()
    // @ts-expect-error: an encoding of other values
    open<User>('path', { encoding })
    // @ts-expect-error: no such option
    open('path', { capcity: 1 })
    // @ts-expect-error: only openAsync can be aborted
    open('path', { signal: AbortSignal.abort() })
  })
})

describe('reads', () => {
  it('know what values and keys are', () => {
    expectTypeOf(db.get('a')).toEqualTypeOf<User | undefined>()
    expectTypeOf(db.getMany(['a'])).toEqualTypeOf<(User | undefined)[]>()
    expectTypeOf(db.getBinary('a')).toEqualTypeOf<Buffer | undefined>()
    expectTypeOf(db.getEntry('a')).toEqualTypeOf<VersionedValue<User> | undefined>()
    expectTypeOf(db.has('a')).toEqualTypeOf<boolean>()
    expectTypeOf(db.count({ gt: 'a' })).toEqualTypeOf<number>()
    expectTypeOf([...db]).toEqualTypeOf<Entry<User, string>[]>()
    expectTypeOf(open('path').get('a')).toBeUnknown()
    // @ts-expect-error: a key of another type
    db.get(1)
    // @ts-expect-error: a bound of another type
    db.range({ gt: 1 })
    // @ts-expect-error: no such option
    db.range({ from: 'a' })
    // @ts-expect-error: bigints are no keys
    open('path').get(1n)
  })

  it('of ranges are iterators, also behind helpers', () => {
    expectTypeOf(db.range()).toEqualTypeOf<RangeIterator<Entry<User, string>>>()
    expectTypeOf(db.keys()).toEqualTypeOf<RangeIterator<string>>()
    expectTypeOf(db.values()).toEqualTypeOf<RangeIterator<User>>()
    expectTypeOf(db.values().map(({ name }) => name.length)).toEqualTypeOf<Rows<number>>()
    expectTypeOf(db.keys().filter(Boolean).take(1).drop(1)).toEqualTypeOf<Rows<string>>()
    expectTypeOf(db.keys().toArray()).toEqualTypeOf<string[]>()
    expectTypeOf(db.keys().reduce((n, key) => n + key.length, 0)).toEqualTypeOf<number>()
    expectTypeOf(db.keys().find(Boolean)).toEqualTypeOf<string | undefined>()
    expectTypeOf(db.keys().some(Boolean)).toEqualTypeOf<boolean>()
  })
})

describe('writes', () => {
  it('take the store’s values and keys only', () => {
    db.putSync('a', { name: 'Ada' })
    // @ts-expect-error: a value of another type
    db.putSync('a', { title: 'Countess' })
    // @ts-expect-error: a value of another type
    void db.put('a', undefined)
    // @ts-expect-error: a key of another type
    db.putSync(1, { name: 'Ada' })
    // @ts-expect-error: a key of another type
    void db.remove(1)
    // @ts-expect-error: no such option
    db.putSync('a', { name: 'Ada' }, { tll: 1 })
    // @ts-expect-error: a del has no such condition
    db.removeSync('a', { ifNoExists: true })
  })

  it('answer with a boolean if they have a condition, and with nothing otherwise', () => {
    const value = { name: 'Ada' }
    expectTypeOf(db.putSync('a', value)).toBeVoid()
    expectTypeOf(db.putSync('a', value, { ttl: 1 })).toBeVoid()
    expectTypeOf(db.putSync('a', value, { expiresAt: new Date() })).toBeVoid()
    expectTypeOf(db.putSync('a', value, { ifNoExists: true })).toEqualTypeOf<boolean>()
    expectTypeOf(db.putSync('a', value, { ifVersion: 1, ttl: 1 })).toEqualTypeOf<boolean>()
    expectTypeOf(db.putSync('a', value, { ifVersion: db.getEntry('a')?.version })).toEqualTypeOf<boolean>()
    expectTypeOf(db.put('a', value)).toEqualTypeOf<Promise<void>>()
    expectTypeOf(db.put('a', value, { ttl: 1 })).toEqualTypeOf<Promise<void>>()
    expectTypeOf(db.put('a', value, { ifVersion: 1 })).toEqualTypeOf<Promise<boolean>>()
    expectTypeOf(db.removeSync('a', { ifVersion: 1 })).toEqualTypeOf<boolean>()
    expectTypeOf(db.remove('a')).toEqualTypeOf<Promise<boolean>>()
  })

  it('of batches are checked one by one', () => {
    const operations: BatchOperation<User, string>[] = [
      { type: 'put', key: 'a', value: { name: 'Ada' }, ttl: 1, ifNoExists: true },
      { type: 'del', key: 'b', ifVersion: 1 },
    ]
    expectTypeOf(db.batchSync(operations)).toEqualTypeOf<boolean>()
    expectTypeOf(db.batch(new Set(operations))).toEqualTypeOf<Promise<boolean>>()
    // @ts-expect-error: a put has a value
    db.batchSync([{ type: 'put', key: 'a' }])
    // @ts-expect-error: a value of another type
    db.batchSync([{ type: 'put', key: 'a', value: 1 }])
    // @ts-expect-error: a del has no time to live
    db.batchSync([{ type: 'del', key: 'a', ttl: 1 }])
    // @ts-expect-error: no such type
    db.batchSync([{ type: 'delete', key: 'a' }])
  })

  it('of counters have the type of what is added', () => {
    expectTypeOf(db.incrementSync('a')).toEqualTypeOf<number>()
    expectTypeOf(db.incrementSync('a', 1n, { ttl: 1 })).toEqualTypeOf<bigint>()
    expectTypeOf(db.increment('a', -1)).toEqualTypeOf<Promise<number>>()
    expectTypeOf(db.increment('a', 1n)).toEqualTypeOf<Promise<bigint>>()
    // @ts-expect-error: strings are no numbers
    db.incrementSync('a', '1')
  })

  it('clear what is in bounds', () => {
    expectTypeOf(db.clearSync({ prefix: 'a' })).toEqualTypeOf<number>()
    expectTypeOf(users.clear()).toEqualTypeOf<Promise<number>>()
    // @ts-expect-error: a bound of another type
    users.clearSync({ lt: 'a' })
  })
})

describe('views', () => {
  it('of namespaces have the types that were asked for', () => {
    expectTypeOf(db.namespace<User, number>('users')).toEqualTypeOf<Namespace<User, number>>()
    expectTypeOf(db.namespace('any')).toEqualTypeOf<Namespace>()
    expectTypeOf(users).toExtend<Table<User, number>>()
    expectTypeOf(db).toExtend<Table<User, string>>()
    expectTypeOf(snapshot).toExtend<ReadView<User, string>>()
    expectTypeOf(users.get(1)).toEqualTypeOf<User | undefined>()
    // @ts-expect-error: a key of another type
    users.putSync('a', { name: 'Ada' })
    // @ts-expect-error: no such option
    db.namespace('users', { capacity: 1 })
    expectTypeOf(snapshot).not.toHaveProperty('putSync')
  })

  it('of a snapshot keep the types', () => {
    expectTypeOf(db.snapshot()).toEqualTypeOf<Snapshot<User, string>>()
    expectTypeOf(snapshot.namespace(users)).toEqualTypeOf<ReadView<User, number>>()
    expectTypeOf(snapshot.get('a')).toEqualTypeOf<User | undefined>()
  })

  it('of a transaction keep the types', () => {
    expectTypeOf(tx.in(users)).toEqualTypeOf<Transaction<User, number>>()
    expectTypeOf(tx.get('a')).toEqualTypeOf<User | undefined>()
    expectTypeOf(tx.range()).toEqualTypeOf<Rows<Entry<User, string>>>()
    expectTypeOf(tx.in(users).keys()).toEqualTypeOf<Rows<number>>()
    expectTypeOf(tx.put('a', { name: 'Ada' })).toBeVoid()
    expectTypeOf(tx.increment('a', 1n)).toEqualTypeOf<bigint>()
    // @ts-expect-error: a value of another type
    tx.put('a', 1)
    // @ts-expect-error: a key of another type
    tx.in(users).remove('a')
    // @ts-expect-error: within a transaction reads are what is checked
    tx.put('a', { name: 'Ada' }, { ifVersion: 1 })
    expectTypeOf(tx).not.toHaveProperty('putSync')
    // @ts-expect-error: a namespace is named by its object
    tx.in('users')
  })

  it('of a transaction return what the callback does', () => {
    expectTypeOf(db.transactionSync((t) => t.get('a')?.name)).toEqualTypeOf<string | undefined>()
    expectTypeOf(db.transaction((t) => t.count())).toEqualTypeOf<Promise<number>>()
    expectTypeOf(db.transaction((t) => Promise.resolve(t.count()), { retries: 1 })).toEqualTypeOf<Promise<number>>()
    expectTypeOf(tx.transactionSync((t) => t)).toEqualTypeOf<Transaction<User, string>>()
    expectTypeOf(tx.transaction(() => 'done')).toEqualTypeOf<Promise<string>>()
    // @ts-expect-error: no such option
    void db.transaction(() => 1, { retry: 1 })
  })
})

describe('watch', () => {
  it('tells the kinds of changes apart', () => {
    expectTypeOf(db.watch()).toEqualTypeOf<AsyncIterableIterator<Change<User, string>, undefined, undefined>>()
    const kinds = (change: Change<User, string>): void => {
      if (change.type === 'put') {
        expectTypeOf(change.value).toEqualTypeOf<User>()
        expectTypeOf(change.before).toEqualTypeOf<User | undefined>()
      } else if (change.type === 'del') {
        expectTypeOf(change.key).toEqualTypeOf<string>()
        expectTypeOf(change.before).toEqualTypeOf<User>()
      } else {
        expectTypeOf(change.type).toEqualTypeOf<'clear'>()
        expectTypeOf(change.key).toBeUndefined()
      }
    }
    expectTypeOf(kinds).returns.toBeVoid()
    // @ts-expect-error: a key of another type
    db.watch({ key: 1 })
    // @ts-expect-error: a watch has no order
    db.watch({ reverse: true })
  })
})

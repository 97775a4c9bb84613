// sealog/keyv against Keyv's own suite for storage adapters, and what that leaves open.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import { Keyv } from 'keyv'
import * as vitest from 'vitest'
import { open, type Store } from '../../src/index.ts'
import { KeyvSealog } from '../../src/keyv.ts'
import { openScratch, scratchDirectory, small } from '../support/scratch.ts'

const { afterAll, beforeAll, describe, expect, it } = vitest

describe('@keyv/test-suite', () => {
  let directory: string
  let db: Store<unknown, string>
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'sealog-keyv-'))
    db = open(join(directory, 'store'), small)
  })
  afterAll(() => {
    db.close()
    rmSync(directory, { recursive: true })
  })
  const adapter = (): KeyvSealog => new KeyvSealog(db)

  keyvTestSuite(vitest, Keyv, adapter)
  keyvIteratorTests(vitest, Keyv, adapter)
})

describe('KeyvSealog', () => {
  const openAdapter = (): KeyvSealog => new KeyvSealog(openScratch() as Store<unknown, string>)

  it('opens a store by its path, closes it on disconnect, and finds everything again', async () => {
    const path = join(scratchDirectory(), 'store')
    const before = new Keyv({ store: new KeyvSealog(path, small) })
    await before.set('list', [1, 'two', { three: true }])
    await before.disconnect()
    const after = new Keyv({ store: new KeyvSealog(path, { createIfMissing: false }) })
    expect(await after.get('list')).toEqual([1, 'two', { three: true }])
    await after.disconnect()
    await expect(after.set('list', 0)).resolves.toBe(false)
  })

  it("leaves the caller's store open on disconnect", async () => {
    const db = openScratch() as Store<unknown, string>
    const keyv = new Keyv({ store: new KeyvSealog(db) })
    await keyv.set('a', 1)
    await keyv.disconnect()
    expect(db.closed).toBe(false)
    expect(db.count()).toBe(1)
  })

  it('keeps what Keyv does not serialise', async () => {
    const keyv = new Keyv({ store: openAdapter() })
    keyv.serialize = keyv.deserialize = undefined
    await keyv.set('value', { bytes: Buffer.of(1, 2), when: new Date(0), big: 2n ** 60n })
    expect(await keyv.get('value')).toEqual({ bytes: Buffer.of(1, 2), when: new Date(0), big: 2n ** 60n })
  })

  it('forgets an entry by itself when its time is over', async () => {
    const adapter = openAdapter()
    const keyv = new Keyv({ store: adapter })
    await keyv.set('short', 1, 30)
    await keyv.set('long', 1, 60_000)
    await keyv.set('for ever', 1)
    expect(await keyv.has(['short', 'long', 'for ever'])).toEqual([true, true, true])
    await sleep(40)
    expect(await keyv.has(['short', 'long', 'for ever'])).toEqual([false, true, true])
    expect(await adapter.get('keyv:short')).toBeUndefined()
    expect(await adapter.getMany(['keyv:short', 'keyv:for ever'])).toEqual([undefined, expect.anything()])
    const left = []
    for await (const [key] of adapter.iterator('keyv')) left.push(key)
    expect(left).toEqual(['keyv:for ever', 'keyv:long'])
  })

  it('deletes many at once, and says whether all were there', async () => {
    const keyv = new Keyv({ store: openAdapter() })
    await Promise.all(['a', 'b', 'c'].map((key) => keyv.set(key, key)))
    expect(await keyv.delete(['a', 'absent'])).toBe(false)
    expect(await keyv.delete(['b', 'c'])).toBe(true)
    expect(await keyv.get(['a', 'b', 'c'])).toEqual([undefined, undefined, undefined])
  })

  it('confines clear and iterator to a namespace, and clears the whole store without one', async () => {
    const db = openScratch() as Store<unknown, string>
    const [one, ten] = ['1', '10'].map((namespace) => new Keyv({ store: new KeyvSealog(db), namespace }))
    const all = new Keyv({ store: new KeyvSealog(db), namespace: '' })
    await Promise.all([one, ten, all].map((keyv) => keyv!.set('key', 0)))
    const seen = []
    for await (const [key] of new KeyvSealog(db).iterator('1')) seen.push(key)
    expect(seen).toEqual(['1:key'])
    await one!.clear()
    expect([...db.keys()]).toEqual(['10:key', 'key'])
    await all.clear()
    expect(db.count()).toBe(0)
  })

  it('takes a namespace of a store, and clears that at once', async () => {
    const db = openScratch() as Store<unknown, string>
    const namespace = db.namespace<unknown, string>('cache')
    const keyv = new Keyv({ store: new KeyvSealog(namespace), namespace: '' })
    db.putSync('key', 'not in the cache')
    await keyv.set('key', 1)
    await keyv.set('lost', 1, -1)
    expect([...namespace.keys()]).toEqual(['key', 'lost'])
    expect(await keyv.get(['key', 'lost'])).toEqual([1, undefined])
    await keyv.clear()
    expect([namespace.count(), db.count()]).toEqual([0, 1])
  })
})

// A remove says whether there was something, and one with a promise is as durable as any other write when that resolves.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { open } from '../../src/index.ts'
import { startChild } from '../support/built.ts'
import { openScratch, scratchDirectory, small } from '../support/scratch.ts'

const places = ['memory', 'disk'] as const

describe.each(places)('removing, with the store in/on the %s', (place) => {
  it('says whether there was an entry', async () => {
    const db = openScratch({}, place)
    for (const key of ['a', 'b', ['c', 1]]) db.putSync(key, 1)
    expect(db.removeSync('a')).toBe(true)
    expect(db.removeSync('a')).toBe(false)
    expect(db.removeSync(['c', 1])).toBe(true)
    expect(await db.remove('b')).toBe(true)
    expect(await db.remove('b')).toBe(false)
    expect(await db.remove('never')).toBe(false)
    expect(db.count()).toBe(0)
  })

  it('is durable when its promise resolves', async () => {
    const db = openScratch({}, place)
    db.putSync('a', 1)
    await db.remove('a')
    const { lsn, durableLsn } = db.stats()
    expect(durableLsn).toBe(lsn)
  })

  it('survives the process that was told so', async () => {
    const path = join(scratchDirectory(place), 'store')
    const db = open(path, small)
    db.putSync('a', 1)
    db.close()
    const ended = await startChild('remove-child.mjs', { path }).ended
    expect(ended).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    const again = open(path)
    expect([...again.keys()]).toEqual([])
    again.close()
  })
})

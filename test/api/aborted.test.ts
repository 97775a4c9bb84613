// What was aborted is named by the message, with the state that things are in.
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openAsync, restore, salvage, type SealogError, type Store } from '../../src/index.ts'
import { errorFromStatus, Status } from '../../src/engine/status.ts'
import { startChild } from '../support/built.ts'
import { expectRefusal, rejectionOf } from '../support/expect.ts'
import { openScratch, scratchDirectory, small } from '../support/scratch.ts'

const reason = new Error('enough')
const signal = AbortSignal.abort(reason)

async function abortedBy(call: () => Promise<unknown>): Promise<SealogError> {
  const error = expectRefusal(await rejectionOf(call), 'ERR_SEALOG_ABORTED')
  expect(error.cause).toBe(reason)
  return error
}

describe('ERR_SEALOG_ABORTED', () => {
  it('names opening, creating, and waiting for another process', async () => {
    const directory = scratchDirectory('disk')
    const path = join(directory, 'store.sealog')
    const opening = await abortedBy(() => openAsync(path, { ...small, signal }))
    expect(opening.message).toBe(`Opening the store (${path}) was aborted; nothing was done, try again at will`)

    const controller = new AbortController()
    const creating = abortedBy(() => openAsync(path, { capacity: '512MiB', signal: controller.signal }))
    setImmediate(() => {
      controller.abort(reason)
    })
    const { message } = await creating
    expect(message).toBe(`Creating the store (${path}) was aborted; nothing was left behind, try again at will`)
    expect(readdirSync(directory)).toEqual([])

    const child = startChild('open-child.mjs', { path, options: small, keep: true })
    await child.printed('opened')
    const patient = new AbortController()
    const waiting = abortedBy(() => openAsync(path, { waitMs: 60_000, signal: patient.signal }))
    setTimeout(() => {
      patient.abort(reason)
    }, 30)
    expect((await waiting).message).toBe(
      `Waiting for the store (${path}) was aborted; it is as it was, try again at will`,
    )
    child.process.stdin?.end()
    await child.ended
  })

  it.each<[string, RegExp, (db: Store, directory: string) => Promise<unknown>]>([
    ['verify', /^Verifying was aborted; the store was only read$/, (db) => db.verify({ signal })],
    [
      'backup',
      /^The backup was aborted; nothing was left behind/,
      (db, directory) => db.backup(join(directory, 'b'), { signal }),
    ],
    ['compact', /^Compacting was aborted; what it has moved stays moved$/, (db) => db.compact({ signal })],
    ['grow', /^Growing the store \(.*\) was aborted; it has the size from before/, (db) => db.grow('8MiB', { signal })],
    [
      'transaction',
      /^The transaction was aborted; nothing of it was written$/,
      (db) => db.transaction(() => 1, { signal }),
    ],
    [
      'putStream',
      /^The stream was aborted; nothing was written, the old value stays$/,
      (db) => db.putStream('k', [randomBytes(9)], { signal }),
    ],
    [
      'restore',
      /^Restoring was aborted; nothing was left behind/,
      (_, directory) => restore(join(directory, 'store.sealog'), join(directory, 'r'), { signal }),
    ],
    [
      'salvage',
      /^The salvage was aborted; nothing was left at .*s\.sealog/,
      (_, directory) => salvage(join(directory, 'store.sealog'), join(directory, 's'), { signal }),
    ],
  ])('names %s', async (_name, message, call) => {
    const db = openScratch()
    const error = await abortedBy(() => call(db, join(db.path, '..')))
    expect(error.message).toMatch(message)
  })

  it('does not guess what it was, where only native knows', () => {
    expect(errorFromStatus(Status.Aborted, null, { path: '/store' }).message).not.toMatch(/creat/i)
  })
})

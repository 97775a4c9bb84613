// Subscribers that throw: says what the store's calls give, and what reaches the process as an uncaught exception.
import { channel, subscribe } from 'node:diagnostics_channel'
import { open } from 'sealog'

const { path, options } = JSON.parse(process.argv[2])
const uncaught = []
process.on('uncaughtException', (error) => uncaught.push(error.message))
for (const name of ['open', 'recovery', 'commit', 'checkpoint', 'seal-broken', 'poison']) {
  subscribe(`sealog:${name}`, () => {
    throw new Error(name)
  })
}
const heard = []
channel('sealog:commit').subscribe(({ kind }) => heard.push(kind))

const db = open(path, options)
db.putSync('a', 1)
db.batchSync([{ type: 'put', key: 'b', value: 2 }])
db.transactionSync((tx) => tx.put('c', 3))
await db.put('d', 4)
await db.transaction(async (tx) => tx.put('e', 5))
db.removeSync('a')
const keys = [...db.keys()]
db.close()
const again = open(path, options)
const kept = again.count()
again.close()
await new Promise((resolve) => setImmediate(resolve))
process.stdout.write(JSON.stringify({ keys, kept, heard, uncaught }))

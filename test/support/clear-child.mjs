// Fills two namespaces, clears one, and goes on until it is killed, in the middle of what happens in the background then.
import { open } from 'sealog'

const { path, options } = JSON.parse(process.argv[2])
process.stdin.on('end', () => process.exit(1)).resume()

const db = open(path, options)
const ns = db.namespace('ns')
const beside = db.namespace('beside')
for (let i = 0; i < 3000; i++) ns.put(i, 'x'.repeat(500))
for (let i = 0; i < 500; i++) beside.put(i, i)
await db.flush()
ns.clearSync()
process.stdout.write('cleared')

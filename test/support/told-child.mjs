// Opens a store for writing and runs what it is told with it, a JSON string of code in each line: says "done 1", "done 2", ...
import { createInterface } from 'node:readline'
import { openAsync } from 'sealog'

const { path, options } = JSON.parse(process.argv[2])
const db = await openAsync(path, options)
process.stdout.write('open\n')
let count = 0
const AsyncFunction = (async () => undefined).constructor
for await (const line of createInterface({ input: process.stdin })) {
  await new AsyncFunction('db', JSON.parse(line))(db)
  process.stdout.write(`done ${++count}\n`)
}
db.close()

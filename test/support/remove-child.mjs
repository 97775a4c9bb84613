// Removes a key with a promise, and is killed as soon as that has resolved.
import { open } from 'sealog'

const { path } = JSON.parse(process.argv[2])
const db = open(path)
await db.remove('a')
process.kill(process.pid, 'SIGKILL')

// Opens a store as another process, perhaps as another user; says how that went, and keeps the store until its standard input ends, or for keepMs.
import { open } from 'sealog'

const { path, options, uid, keep, keepMs } = JSON.parse(process.argv[2])
if (uid !== undefined) {
  process.setgroups([])
  process.setgid(uid)
  process.setuid(uid)
}

let db
try {
  db = open(path, options)
  process.stdout.write(`${JSON.stringify({ opened: [...db.keys()].length })}\n`)
} catch ({ name, code, message }) {
  process.stdout.write(`${JSON.stringify({ name, code, message })}\n`)
}
if (keepMs !== undefined) {
  setTimeout(() => db?.close(), keepMs)
} else if (keep) {
  process.stdin.on('end', () => db?.close()).resume()
} else {
  db?.close()
}

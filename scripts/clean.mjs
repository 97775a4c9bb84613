// Removes the folders named on the command line, relative to the package root.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

for (const folder of process.argv.slice(2)) {
  rmSync(fileURLToPath(new URL(`../${folder}`, import.meta.url)), { recursive: true, force: true })
}

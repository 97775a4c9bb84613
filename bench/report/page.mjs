import { writeFileSync } from 'node:fs'
export function writePage(path, result) {
  writeFileSync(path, JSON.stringify(result))
}

import { pathToFileURL } from 'node:url'

// Engines by name. An adapter is a module; bench/README.md has the interface.
const modules = {
  sealog: () => import('./sealog.mjs'),
  lmdb: () => import('./lmdb.mjs'),
  'node-lmdb': () => import('./node-lmdb.mjs'),
  'better-sqlite3': () => import('./better-sqlite3.mjs'),
  'classic-level': () => import('./classic-level.mjs'),
  rocksdb: () => import('./rocksdb.mjs'),
  map: () => import('./map.mjs'),
  file: () => import('./file.mjs'),
  null: () => import('./null.mjs'),
}

export const engineNames = Object.keys(modules)

/** A path (that is, anything with a slash) is somebody's own adapter. */
export function loadAdapter(name) {
  if (name.includes('/')) return import(pathToFileURL(name).href)
  if (!(name in modules)) throw new Error(`There is no engine '${name}'; there are ${engineNames.join(', ')}`)
  return modules[name]()
}

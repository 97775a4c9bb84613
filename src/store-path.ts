import { resolve } from 'node:path'

const extension = '.sealog'

/** The file of a store: the path, with `.sealog` behind it unless it is there. */
export function storePath(path: string): string {
  if (typeof path !== 'string' || path === '') throw new TypeError('The path of a store must be a non-empty string')
  if (path.includes('\0')) throw new TypeError('The path of a store must not contain a NUL')
  return resolve(path.endsWith(extension) ? path : path + extension)
}

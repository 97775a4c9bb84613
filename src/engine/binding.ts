import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { layoutConstants } from '../layout/constants.ts'
import type { Native } from './native.ts'
import { Status } from './status.ts'

/**
 * Loads sealog.node: from prebuilds/linux-<arch>/ or, in a checkout, build/release/. The environment variable SEALOG_ADDON
 * names another one, for developers (a debug or sanitizer build).
 * @throws Error if there is none, it does not load, or its layout or status numbers differ from ours
 */
export function loadBinding(): Native {
  const path = findAddon()
  let native: Native
  try {
    native = createRequire(import.meta.url)(path) as Native
  } catch (cause) {
    throw new Error(`Sealog's native addon does not load: ${path}; rebuild it with \`npm run build:native\``, { cause })
  }
  const differences = compareLayout(native.layout())
  if (differences.length > 0) {
    throw new Error(
      `Sealog's native addon (${path}) was built from other sources: ${differences.join(', ')}; ` +
        'reinstall the package, or run `npm run build`',
    )
  }
  return native
}

/**
 * What differs between the numbers of an addon and ours; empty if nothing does. Both ways: a name that only one side knows
 * counts too.
 */
export function compareLayout(theirs: Readonly<Record<string, number>>): string[] {
  const ours = expectedLayout()
  const names = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  return [...names]
    .filter((name) => ours[name] !== theirs[name])
    .map((name) => `${name} is ${theirs[name] ?? 'absent'}, not ${ours[name] ?? 'absent'}`)
}

/** Format constants, and each status number as `kName` of native/base/status.h behind `Status.`. */
export function expectedLayout(): Record<string, number> {
  const statuses = Object.entries(Status).map(([name, value]) => [`Status.k${name}`, value] as const)
  return { ...layoutConstants, ...Object.fromEntries(statuses) }
}

function findAddon(): string {
  const override = process.env['SEALOG_ADDON']
  if (override) return resolve(override)
  // This module is <root>/src/engine/ or <root>/dist/engine/.
  const candidates = [`prebuilds/${process.platform}-${process.arch}/sealog.node`, 'build/release/sealog.node'].map(
    (relative) => fileURLToPath(new URL(`../../${relative}`, import.meta.url)),
  )
  const found = candidates.find((candidate) => existsSync(candidate))
  if (found !== undefined) return found
  throw new Error(
    process.platform === 'linux'
      ? `Sealog's native addon is missing (looked for ${candidates.join(' and ')}); build it with \`npm run build:native\``
      : `Sealog runs on Linux only, not on ${process.platform}`,
  )
}

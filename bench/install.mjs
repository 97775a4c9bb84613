// Installs bench/'s own packages when they are wanted: without install scripts, which takes seconds; then compiles what is asked for and
// has no binary that this machine can load.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const directory = fileURLToPath(new URL('.', import.meta.url))
/** What loads the binary of each. */
const compiled = {
  'better-sqlite3': "new (require('better-sqlite3'))(':memory:')",
  'node-lmdb': "require('node-lmdb')",
}

function npm(...args) {
  const { status } = spawnSync('npm', ['--prefix', directory, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

function loads(probe) {
  return spawnSync(process.execPath, ['-e', probe], { cwd: directory, stdio: 'ignore' }).status === 0
}

/**
 * @param {readonly string[]} engines that are to be measured
 * @returns {string[]} those of them that can be: a binary that does not load ends the process that imports it
 */
export function installPeers(engines) {
  const lock = readFileSync(join(directory, 'package-lock.json'), 'utf8')
  const installed = join(directory, 'node_modules', '.installed-lock')
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== lock) {
    console.log('installing what the benches need (bench/package.json)')
    if (!npm('ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'))
      throw new Error('npm ci failed in bench/')
    writeFileSync(installed, lock)
  }
  return engines.filter((name) => {
    const probe = compiled[name]
    if (probe === undefined || loads(probe)) return true
    console.log(`compiling ${name}: seconds to minutes`)
    npm('rebuild', name, '--build-from-source', '--loglevel=error')
    if (loads(probe)) return true
    console.log(`${name} is left out: it cannot be compiled here`)
    return false
  })
}

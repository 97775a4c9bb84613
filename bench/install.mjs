// Installs bench/'s own packages when they are wanted: without install scripts, which takes seconds; then compiles what has no binary for
// this machine and is asked for.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const directory = fileURLToPath(new URL('.', import.meta.url))
const compiled = { 'better-sqlite3': 'build/Release/better_sqlite3.node' }

function npm(...args) {
  const { status } = spawnSync('npm', ['--prefix', directory, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  return status === 0
}

/** @param {readonly string[]} engines that will be measured */
export function installPeers(engines) {
  const lock = readFileSync(join(directory, 'package-lock.json'), 'utf8')
  const installed = join(directory, 'node_modules', '.installed-lock')
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== lock) {
    console.log('installing what the benches need (bench/package.json)')
    if (!npm('ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'))
      throw new Error('npm ci failed in bench/')
    writeFileSync(installed, lock)
  }
  for (const [name, file] of Object.entries(compiled)) {
    if (!engines.includes(name) || existsSync(join(directory, 'node_modules', name, file))) continue
    console.log(`compiling ${name}: minutes`)
    if (!npm('rebuild', name, '--loglevel=error')) console.log(`${name} cannot be compiled here`)
  }
}

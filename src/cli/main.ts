#!/usr/bin/env node
// The command `sealog`. Exit codes: 0 done, 1 an error (one line on stderr), 2 wrong usage.
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { runDoctor } from './doctor.ts'

interface Manifest {
  readonly version: string
  readonly description: string
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest

function buildProgram(): Command {
  const program = new Command('sealog')
  program.description(manifest.description).version(manifest.version).exitOverride()
  program
    .command('doctor')
    .description('Find out what a directory gives a store, by trying with a file of 8 MiB that is gone afterwards')
    .argument('[path]', 'a directory, or a store: then its directory, and the store itself, opened for reading', '.')
    .option('--json', 'print one JSON object')
    .action((path: string, options: { readonly json?: true }) => {
      process.exitCode = runDoctor(path, { json: options.json === true, version: manifest.version })
    })
  return program
}

try {
  buildProgram().parse()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Commander has said what is wrong; --help and --version come this way too.
  process.exitCode = error.exitCode === 0 ? 0 : 2
}

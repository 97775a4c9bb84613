#!/usr/bin/env node
// The command `sealog`. Exit codes: 0 done, 1 an error (one line on stderr), 2 wrong usage; salvage has its own.
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { runBackup } from './backup.ts'
import { runBenchCommand } from './bench.ts'
import { runDoctor } from './doctor.ts'
import { runRestore } from './restore.ts'
import { runSalvage, type SalvageCommandOptions } from './salvage.ts'
import { runVerify } from './verify.ts'

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
  program
    .command('salvage')
    .description('Copy everything readable out of a damaged store into a new one, and report what was not')
    .argument('<path>', 'the damaged store; it is only read')
    .argument('<out>', 'the new one; must not exist')
    .addOption(
      new Option('--keys <encoding>', 'only where both superblocks are lost').choices(['ordered', 'utf8', 'binary']),
    )
    .addOption(
      new Option('--encoding <encoding>', 'of values; only where both superblocks are lost').choices([
        'msgpack',
        'json',
        'string',
        'binary',
        'custom',
      ]),
    )
    .option('--json', 'print one JSON object')
    .action(async (path: string, out: string, options: Partial<SalvageCommandOptions>) => {
      process.exitCode = await runSalvage(path, out, { ...options, json: options.json === true })
    })
  program
    .command('backup')
    .description('Copy a store that nobody writes to; a program that has it open calls db.backup')
    .argument('<path>', 'the store')
    .argument('<out>', 'the copy, a path that is free; - for standard output')
    .option('--compact', 'copy what is live, in key order, into a store of just the size needed')
    .option('--json', 'print one JSON object')
    .action(async (path: string, out: string, options: { readonly compact?: true; readonly json?: true }) => {
      process.exitCode = await runBackup(path, out, { compact: options.compact === true, json: options.json === true })
    })
  program
    .command('restore')
    .description('Make a store from a backup, and read all of it back before it gets its name')
    .argument('<backup>', 'a backup; - for standard input')
    .argument('<path>', 'the store, a path that is free')
    .option('--capacity <size>', 'of the new store, such as 1GiB; default: as the old one')
    .option('--json', 'print one JSON object')
    .action(async (backup: string, path: string, options: { readonly capacity?: string; readonly json?: true }) => {
      process.exitCode = await runRestore(backup, path, { capacity: options.capacity, json: options.json === true })
    })
  program
    .command('verify')
    .description('Check everything in a store: every checksum, order, count and table, and that nothing leaks')
    .argument('<path>', 'the store; it is opened for reading')
    .option('--json', 'print one JSON object')
    .action(async (path: string, options: { readonly json?: true }) => {
      process.exitCode = await runVerify(path, { json: options.json === true })
    })
  program
    .command('bench')
    .description(
      'Measure a store in a directory: durable puts, gets, ranges. It is a file of its own that is gone afterwards',
    )
    .argument('[path]', 'a directory on the disk or the persistent memory in question', '.')
    .option('--keys <number>', 'keys in the store', '100000')
    .option('--seconds <number>', 'at most so long for each operation', '2')
    .option('--capacity <size>', 'of the file', '512MiB')
    .option('--json', 'print one JSON object')
    .action(
      async (path: string, options: { keys: string; seconds: string; capacity: string; readonly json?: true }) => {
        process.exitCode = await runBenchCommand(path, { ...options, json: options.json === true })
      },
    )
  return program
}

try {
  await buildProgram().parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  // Commander has said what is wrong; --help and --version come this way too.
  process.exitCode = error.exitCode === 0 ? 0 : 2
}

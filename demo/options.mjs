import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'

const memoryDirectory = '/dev/shm'

function integer(least) {
  return (text) => {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number from ${least}.`)
    return value
  }
}

/** @returns {{ kills: number, words: number, seed: number, dir: string, images: boolean }} */
export function parseOptions() {
  const program = new Command('npm run demo --')
  program
    .description('Loads English words into a store, kills the writer on the way, and verifies every acknowledged write')
    .option('--kills <n>', 'how often to kill the writer', integer(0), 3)
    .option('--words <n>', 'how many words to load (default: all)', integer(1000), Infinity)
    .option('--dir <directory>', 'where to make the store, in a directory of its own', tmpdir())
    .option('--memory', `the same as --dir ${memoryDirectory}`)
    .option('--seed <n>', 'for the order of the words and the times of the kills', integer(0), Date.now() % 2 ** 32)
    .option('--images', 'copy the store before each recovery; the copy is kept if something is lost or wrong')
    .parse()
  const { memory, ...options } = program.opts()
  if (memory === true) options.dir = memoryDirectory
  if (!existsSync(options.dir)) program.error(`error: there is no directory ${options.dir}`)
  return { images: false, ...options }
}

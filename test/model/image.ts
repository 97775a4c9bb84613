/** Empty stores, created once for each shape and written anew for each run, so that a run begins in a state that is known. */
import { accessSync, closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '../../src/index.ts'
import { nameOf, optionsOf, type Shape } from './shape.ts'

function memoryDirectory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK)
    return '/dev/shm'
  } catch {
    return tmpdir()
  }
}

export class Images {
  readonly #directories: Record<'memory' | 'disk', string>
  readonly #images = new Map<string, Buffer>()

  constructor() {
    this.#directories = {
      memory: mkdtempSync(join(memoryDirectory(), 'sealog-model-')),
      disk: mkdtempSync(join(tmpdir(), 'sealog-model-')),
    }
  }

  /** The path of an empty store, the same file each time. */
  fresh(shape: Shape): string {
    const directory = this.#directories[shape.medium === 'memory' ? 'memory' : 'disk']
    const path = join(directory, `${nameOf(shape)}.sealog`)
    const image = this.#images.get(path)
    if (image === undefined) {
      open(path, optionsOf(shape)).close()
      this.#images.set(path, readFileSync(path))
    } else {
      const file = openSync(path, 'r+')
      writeSync(file, image)
      closeSync(file)
    }
    return path
  }

  remove(): void {
    for (const directory of Object.values(this.#directories)) rmSync(directory, { recursive: true, force: true })
  }
}

import { checkObject, type Engine, type NativeImageFile } from './engine/engine.ts'
import { errorFromStatus } from './engine/status.ts'
import { finished } from './long-work.ts'

/** A store file in the making: under a temporary name until it is published, and gone if it never is. */
export class ImageFile {
  readonly #engine: Engine
  readonly #file: NativeImageFile
  readonly #path: string

  private constructor(engine: Engine, file: NativeImageFile, path: string) {
    this.#engine = engine
    this.#file = file
    this.#path = path
  }

  /**
   * @param bytes of the file, all zero
   * @param sealed with blocks for all of them; else it is sparse
   * @throws SealogError ERR_SEALOG_EXISTS, _ABSENT, _NO_SPACE, _PERMISSION, _IO
   */
  static async create(engine: Engine, path: string, bytes: number, sealed: boolean): Promise<ImageFile> {
    const file = checkObject<NativeImageFile>(engine, engine.makeImageFile(), { path })
    await finished(engine, engine.createImageFile(file, path, bytes, sealed), path)
    return new ImageFile(engine, file, path)
  }

  /** Until it is published. */
  get temporaryPath(): string {
    const path = this.#engine.imageFilePath(this.#file)
    if (typeof path === 'number') throw errorFromStatus(-path, null, { path: this.#path })
    return path
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await finished(this.#engine, this.#engine.writeImageFile(this.#file, offset, bytes), this.#path)
  }

  /** Makes what was written durable, under the temporary name. */
  async sync(): Promise<void> {
    await finished(this.#engine, this.#engine.syncImageFile(this.#file), this.#path)
  }

  /** Gives it its name, durably. @throws SealogError ERR_SEALOG_EXISTS if that is taken by now */
  async publish(): Promise<void> {
    await finished(this.#engine, this.#engine.publishImageFile(this.#file), this.#path)
  }

  /** Closes it, and removes it unless it was published. */
  drop(): void {
    this.#engine.dropImageFile(this.#file)
  }
}

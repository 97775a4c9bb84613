import { Presets, SingleBar } from 'cli-progress'

/** Progress of long work, on stderr where that is a terminal; nothing elsewhere. */
export class Progress {
  readonly #bar: SingleBar | undefined
  #started = false

  constructor(what: string) {
    if (!process.stderr.isTTY) return
    const format = `${what} {bar} {percentage} % | {value} of {total} MiB`
    this.#bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: true }, Presets.shades_grey)
  }

  readonly report = (doneBytes: number, totalBytes: number): void => {
    const [done, total] = [doneBytes, totalBytes].map((bytes) => Math.ceil(bytes / 2 ** 20)) as [number, number]
    if (!this.#started) this.#bar?.start(total, done)
    this.#started = true
    this.#bar?.setTotal(total)
    this.#bar?.update(done)
  }

  stop(): void {
    if (this.#started) this.#bar?.stop()
  }
}

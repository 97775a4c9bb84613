import { SingleBar } from 'cli-progress'

/** Progress of the load: a bar on a terminal, plain lines elsewhere. */
export class Progress {
  #bar
  #total
  #tenth = 0

  constructor(total) {
    this.#total = total
    if (!process.stdout.isTTY) return
    const format = '  {bar} {value}/{total} words, {phase}, {kills} kills survived'
    this.#bar = new SingleBar({ format, barCompleteChar: '█', barIncompleteChar: '░', barsize: 30, hideCursor: true })
    this.#bar.start(total, 0, { phase: 'opening', kills: 0 })
  }

  update(done, phase, kills) {
    this.#bar?.update(done, { phase, kills })
    const tenth = Math.floor((done / this.#total) * 10)
    if (this.#bar === undefined && tenth > this.#tenth) console.log(`  ${tenth * 10} % of the words, ${phase}`)
    this.#tenth = tenth
  }

  /** A line that stays. */
  say(line) {
    if (this.#bar === undefined) {
      console.log(line)
      return
    }
    process.stdout.clearLine(0)
    process.stdout.cursorTo(0)
    process.stdout.write(`${line}\n`)
    this.#bar.render()
  }

  stop() {
    this.#bar?.stop()
  }
}

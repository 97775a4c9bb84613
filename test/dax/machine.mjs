// One boot of the guest: QEMU without hardware virtualisation, one CPU, the images as NVDIMMs (/dev/pmem0, 1, ...), the host's root
// read-only at /host. The console goes to a file, so that what it holds while the machine is stopped is exactly what the guest said.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const memoryMiB = 1024
/** Where the first NVDIMM lies in the guest's physical addresses, with this much memory and no more. */
export const firstImageAddress = 0x1_0000_0000

const alive = new Set()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 })) {
  process.on(signal, () => process.exit(128 + number))
}

/** The guest's TSC is the host's. On a busy host the guest would find out another frequency each time, and its clock be wrong. */
function tscFrequency() {
  const mhz = /^cpu MHz\s*: ([\d.]+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]
  return mhz === undefined ? '' : `tsc_early_khz=${Math.round(Number(mhz) * 1_000)}`
}

function qemuArguments({ vmlinux, initramfs, qemu, needs, images, devices, modules, console, script, plugin }) {
  const bytes = images.map((path) => statSync(path).size)
  const roomMiB = Math.ceil(bytes.reduce((sum, each) => sum + each, 0) / 2 ** 20) + 1024 * (images.length + 2)
  const nvdimms = images.flatMap((path, i) => [
    '-object',
    `memory-backend-file,id=image${i},share=on,mem-path=${path},size=${bytes[i]},align=2M`,
    '-device',
    `nvdimm,id=nvdimm${i},memdev=image${i}`,
  ])
  const commandLine = [
    'console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check mitigations=off nokaslr audit=0 selinux=0 random.trust_cpu=on nowatchdog rcupdate.rcu_cpu_stall_suppress=1',
    `sealog.run=${script} sealog.modules=${modules} sealog.needs=${needs.join(',')} ${tscFrequency()}`,
  ]
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-L', join(qemu, 'usr/share/qemu'), '-L', join(qemu, 'usr/share/seabios')],
    ...['-machine', 'q35,nvdimm=on,nvdimm-persistence=mem-ctrl', '-accel', 'tcg,thread=multi,tb-size=256'],
    // Without 5-level page tables the kernel's direct map is where the plugin expects it.
    ...['-cpu', 'max,la57=off', '-smp', '1', '-m', `${memoryMiB}M,slots=64,maxmem=${memoryMiB + roomMiB}M`],
    ...nvdimms,
    ...['-fsdev', 'local,id=host,path=/,security_model=none,readonly=on,multidevs=remap'],
    ...['-device', 'virtio-9p-pci,fsdev=host,mount_tag=host'],
    ...['-kernel', vmlinux, '-initrd', initramfs, '-append', commandLine.join(' ')],
    ...['-serial', `file:${console}`],
    ...(plugin === undefined ? [] : ['-plugin', plugin]),
    ...devices,
  ]
}

export class Machine {
  #child
  #console
  #errors
  #timer
  timedOut = false

  /**
   * Powers on.
   * @param lab   { vmlinux, initramfs, qemu, folder, needs }: the folder is for this class's files; needs are folders that the guest reads
   * @param name  of this boot: the console's and the script's file name in the lab's folder
   * @param commands what the guest runs, a shell script, in the host's root
   */
  constructor(lab, { name, commands, images = [], devices = [], modules = 'xfs', plugin, limitMs = 1_800_000 }) {
    this.#console = join(lab.folder, `${name}.console`)
    const script = join(lab.folder, `${name}.sh`)
    writeFileSync(script, commands)
    writeFileSync(this.#console, '')
    this.#errors = `${this.#console}.errors`
    const errors = openSync(this.#errors, 'w')
    const libraries = [join(lab.qemu, 'usr/lib/x86_64-linux-gnu'), join(lab.qemu, 'lib/x86_64-linux-gnu')].join(':')
    this.#child = spawn(
      join(lab.qemu, 'usr/bin/qemu-system-x86_64'),
      qemuArguments({ ...lab, images, devices, modules, plugin, script, console: this.#console }),
      {
        stdio: ['ignore', errors, errors],
        env: { ...process.env, LD_LIBRARY_PATH: libraries, QEMU_MODULE_DIR: join(libraries.split(':')[0], 'qemu') },
      },
    )
    closeSync(errors)
    alive.add(this.#child)
    this.running = true
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('exit', () => {
        alive.delete(this.#child)
        clearTimeout(this.#timer)
        this.running = false
        resolve()
      })
    })
    this.#timer = setTimeout(() => {
      this.timedOut = true
      this.cutPower()
    }, limitMs)
  }

  /** What the guest has said so far. */
  output() {
    return readFileSync(this.#console, 'utf8').replaceAll('\r', '')
  }

  /** What QEMU itself had to say: why it did not start. */
  errors() {
    return readFileSync(this.#errors, 'utf8')
  }

  /** Resolves with the match when the guest has said it. @throws Error if the machine ends before */
  async said(pattern) {
    for (;;) {
      const running = this.running
      const match = pattern.exec(this.output())
      if (match !== null) return match
      if (!running) throw new Error(`the guest ended without saying ${pattern}:\n${this.tail()}`)
      await sleep(20)
    }
  }

  /** The end of the console, and of QEMU's own messages. */
  tail() {
    const why = this.timedOut ? 'its time was up\n' : ''
    return `${why}${this.output().slice(-3_000)}\n${this.errors().slice(-1_000)}`
  }

  /** Resolves with the output at power-off. @throws Error unless the script ended with 0 */
  async finished() {
    await this.ended
    const output = this.output()
    if (!/^@@ \S+ done 0$/m.test(output)) throw new Error(`the guest did not end well:\n${output}\n${this.tail()}`)
    return output
  }

  /** Stops the machine between two instructions of the emulator: memory and console stand still when this resolves. */
  async freeze() {
    this.#child.kill('SIGSTOP')
    const tasks = `/proc/${this.#child.pid}/status`
    for (let i = 0; i < 1_000; i++) {
      if (!this.running || /^State:\s+T/m.test(readFileSync(tasks, 'utf8'))) return
      await sleep(1)
    }
    throw new Error('the machine does not stop')
  }

  thaw() {
    this.#child.kill('SIGCONT')
  }

  /** SIGKILL: what is in the images at that moment stays. */
  cutPower() {
    this.#child.kill('SIGKILL')
  }
}

// What the guest boots: the kernel as an ELF file (QEMU starts it directly, so nothing is decompressed under emulation), and an
// initramfs of busybox, the modules in load order, and /init.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { call } from './run.mjs'

const modulesWanted = {
  base: ['libnvdimm', 'nfit', 'nd_pmem', 'virtio_pci', '9p', '9pnet_virtio', 'ext4', 'crc32c_generic', 'loop'],
  xfs: ['xfs'],
  pmem: ['virtio_pmem'],
}

const unpackers = [
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), command: ['zstd', '-dc'] },
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), command: ['xz', '-dc', '--single-stream'] },
  { magic: Buffer.from([0x1f, 0x8b]), command: ['gzip', '-dc'] },
  { magic: Buffer.from([0x02, 0x21, 0x4c, 0x18]), command: ['lz4', '-dc'] },
]

/** The bytes in a compressed stream, or the bytes given if they are none. */
function unpack(bytes) {
  const unpacker = unpackers.find(({ magic }) => bytes.subarray(0, magic.length).equals(magic))
  if (unpacker === undefined) return bytes
  const [program, ...args] = unpacker.command
  return call(program, args, { input: bytes, encoding: 'buffer' })
}

/** The ELF kernel in a bzImage. Offsets: Documentation/arch/x86/boot.rst. */
function extractKernel(bzImage) {
  const setupSectors = bzImage[0x1f1]
  const begin = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248)
  const payload = bzImage.subarray(begin, begin + bzImage.readUInt32LE(0x24c))
  // The kernel's build appends the size in 4 bytes, except to gzip, which ends with it anyway.
  const gzip = payload[0] === 0x1f
  return unpack(gzip ? payload : payload.subarray(0, -4))
}

const moduleName = (path) =>
  basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')

/** The key=value strings of a module: its ELF section .modinfo. */
function moduleInfo(elf) {
  const [table, entryBytes, count, namesAt] = [
    Number(elf.readBigUInt64LE(40)),
    elf.readUInt16LE(58),
    elf.readUInt16LE(60),
    elf.readUInt16LE(62),
  ]
  const section = (i) => {
    const at = table + i * entryBytes
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      bytes: Number(elf.readBigUInt64LE(at + 32)),
    }
  }
  const names = section(namesAt).offset
  for (let i = 0; i < count; i++) {
    const { name, offset, bytes } = section(i)
    const end = elf.indexOf(0, names + name)
    if (elf.toString('latin1', names + name, end) === '.modinfo')
      return elf.toString('latin1', offset, offset + bytes).split('\0')
  }
  return []
}

/** Named modules and all they need, in load order; what is built in, or absent, is left out. */
class Modules {
  #paths = new Map()
  #seen = new Set()
  ordered = []

  constructor(folder) {
    for (const path of readdirSync(folder, { recursive: true })) {
      if (/\.ko(\.\w+)?$/.test(path)) this.#paths.set(moduleName(path), join(folder, path))
    }
  }

  add(name) {
    if (this.#seen.has(name)) return
    this.#seen.add(name)
    const path = this.#paths.get(name)
    if (path === undefined) return
    const bytes = unpack(readFileSync(path))
    for (const line of moduleInfo(bytes)) {
      const needed = /^(?:depends|softdep=pre:)=?\s*(.*)$/.exec(line)?.[1]
      for (const each of needed?.split(/[,\s]+/) ?? []) this.add(each.replaceAll('-', '_'))
    }
    this.ordered.push({ name, bytes })
  }

  /** What was added since the last call. */
  take() {
    return this.ordered.splice(0)
  }
}

function writeArchive(busybox, folder, target) {
  const input = Buffer.from(readdirSync(folder, { recursive: true }).join('\n'))
  writeFileSync(
    target,
    call(busybox, ['cpio', '-o', '-H', 'newc', '-R', '0:0'], { cwd: folder, input, encoding: 'buffer' }),
  )
}

function writeInitramfs({ tools, kernel, release }, target) {
  const folder = `${target}.folder`
  rmSync(folder, { recursive: true, force: true })
  for (const each of ['bin', 'dev', 'proc', 'sys', 'tmp', 'run', 'host'])
    mkdirSync(join(folder, each), { recursive: true })
  copyFileSync(join(tools, 'bin', 'busybox'), join(folder, 'bin', 'busybox'))
  symlinkSync('busybox', join(folder, 'bin', 'sh'))
  const modules = new Modules(
    [join(kernel, 'lib/modules', release), join(kernel, 'usr/lib/modules', release)].find(existsSync),
  )
  for (const [group, names] of Object.entries(modulesWanted)) {
    for (const name of names) modules.add(name)
    mkdirSync(join(folder, 'modules', group), { recursive: true })
    modules.take().forEach(({ name, bytes }, i) => {
      writeFileSync(join(folder, 'modules', group, `${String(i).padStart(2, '0')}-${name}.ko`), bytes)
    })
  }
  copyFileSync(fileURLToPath(new URL('guest/init', import.meta.url)), join(folder, 'init'))
  chmodSync(join(folder, 'init'), 0o755)
  writeArchive(join(tools, 'bin', 'busybox'), folder, target)
  rmSync(folder, { recursive: true })
}

const olderThan = (target, sources) =>
  !existsSync(target) || sources.some((source) => statSync(source).mtimeMs > lstatSync(target).mtimeMs)

/** @returns { vmlinux, initramfs }: paths under `folder`, made where they are missing or older than their sources */
export function prepareKernel(packages, folder) {
  mkdirSync(folder, { recursive: true })
  const bzImage = join(packages.kernel, 'boot', `vmlinuz-${packages.release}`)
  const vmlinux = join(folder, `vmlinux-${packages.release}`)
  if (!existsSync(vmlinux)) {
    writeFileSync(`${vmlinux}.partial`, extractKernel(readFileSync(bzImage)))
    renameSync(`${vmlinux}.partial`, vmlinux)
  }
  const initramfs = join(folder, 'initramfs.cpio')
  if (
    olderThan(
      initramfs,
      ['guest/init', 'kernel.mjs'].map((name) => fileURLToPath(new URL(name, import.meta.url))),
    )
  ) {
    writeInitramfs(packages, `${initramfs}.partial`)
    renameSync(`${initramfs}.partial`, initramfs)
  }
  return { vmlinux, initramfs }
}

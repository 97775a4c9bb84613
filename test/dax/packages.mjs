// QEMU, a kernel and the guest's tools from the Debian archive: downloaded and unpacked, never installed. The machine's own package
// sources are used, with the backports suite beside Debian 12's, whose QEMU 7.2 has TCG bugs and an older plugin interface.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Skip, call } from './run.mjs'

const programs = ['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'seabios']
const tools = ['busybox-static', 'xfsprogs']

function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function codename() {
  return /^VERSION_CODENAME=(.*)$/m.exec(readIfThere('/etc/os-release'))?.[1] ?? ''
}

/** The stanzas of the machine's sources that are of this release, also for its backports. */
function sourcesWithBackports(release) {
  const folder = '/etc/apt/sources.list.d'
  const names = existsSync(folder) ? readdirSync(folder) : []
  const stanzas = names
    .filter((name) => name.endsWith('.sources'))
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').split(/\n\s*\n/))
    .map((stanza) =>
      stanza.replace(/^Suites:.*$/m, (line) =>
        line.split(/\s+/).includes(release) ? `${line} ${release}-backports` : line,
      ),
    )
  const lines = readIfThere('/etc/apt/sources.list')
    .split('\n')
    .filter((line) => /^deb\s/.test(line))
    .flatMap((line) =>
      line.includes(` ${release} `) ? [line, line.replace(` ${release} `, ` ${release}-backports `)] : [line],
    )
  return { stanzas: stanzas.join('\n\n'), lines: lines.join('\n') }
}

/** A private view of the archive: its own lists and sources, so that nothing of the machine's changes. */
class Archive {
  constructor(folder) {
    this.folder = folder
    for (const each of ['lists/partial', 'cache/archives/partial', 'parts'])
      mkdirSync(join(folder, each), { recursive: true })
    const release = codename()
    const { stanzas, lines } = sourcesWithBackports(release)
    writeFileSync(join(folder, 'parts', 'machine.sources'), stanzas)
    writeFileSync(join(folder, 'machine.list'), `${lines}\n`)
    writeFileSync(
      join(folder, 'apt.conf'),
      `Dir::Etc::sourcelist "${folder}/machine.list";\nDir::Etc::sourceparts "${folder}/parts";\n` +
        `Dir::State::lists "${folder}/lists";\nDir::Cache "${folder}/cache";\nAPT::Sandbox::User "root";\n` +
        'APT::Acquire::Retries "3";\nAcquire::http::Timeout "60";\n',
    )
    this.env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf') }
    this.suite = release === 'bookworm' ? '/bookworm-backports' : ''
  }

  #apt(program, args, cwd = this.folder) {
    return call(program, args, { env: this.env, cwd, timeoutMs: 600_000 })
  }

  update() {
    this.#apt('apt-get', ['-qq', 'update'])
  }

  /** Packages with what they depend on and this machine has not installed, as name=version. */
  closure(names) {
    const plan = this.#apt('apt-get', ['-s', '--no-install-recommends', 'install', ...names])
    return [...plan.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+)/gm)].map(([, name, version]) => `${name}=${version}`)
  }

  /** The kernel package that linux-image-amd64 stands for. */
  kernel() {
    const shown = this.#apt('apt-cache', ['show', `linux-image-amd64${this.suite}`])
    const name = /^Depends: (linux-image-\S+)/m.exec(shown)?.[1]
    if (name === undefined) throw new Skip('the package archive has no linux-image-amd64')
    return name
  }

  unpack(packages, target) {
    const downloads = `${target}.debs`
    const partial = `${target}.partial`
    mkdirSync(downloads, { recursive: true })
    this.#apt('apt-get', ['-qq', 'download', ...packages], downloads)
    rmSync(partial, { recursive: true, force: true })
    mkdirSync(partial)
    for (const name of readdirSync(downloads)) call('dpkg-deb', ['-x', join(downloads, name), partial])
    renameSync(partial, target)
    rmSync(downloads, { recursive: true })
  }
}

/**
 * Everything the machine needs, unpacked under `folder`; each part is fetched once.
 * @returns { qemu, tools, kernel, release }: folders, and the kernel's release
 */
export function fetchPackages(folder) {
  const qemu = join(folder, 'qemu')
  const guestTools = join(folder, 'tools')
  const kernels = join(folder, 'kernel')
  if (![qemu, guestTools, kernels].every(existsSync)) {
    if (process.arch !== 'x64') throw new Skip('the guest is an x86-64 one, and so must be this machine')
    for (const program of ['/usr/bin/apt-get', '/usr/bin/dpkg-deb']) {
      if (!existsSync(program))
        throw new Skip(`${program} is missing: QEMU and the kernel come from the Debian archive`)
    }
    mkdirSync(folder, { recursive: true })
    const archive = new Archive(join(folder, 'apt'))
    try {
      archive.update()
      if (!existsSync(guestTools)) archive.unpack([...new Set([...tools, ...archive.closure(tools)])], guestTools)
      if (!existsSync(qemu)) {
        // What is installed already (an older QEMU, its libraries) is not in the plan unless it is replaced.
        const wanted = programs.map((name) => `${name}${archive.suite}`)
        archive.unpack(archive.closure(wanted), qemu)
      }
      if (!existsSync(kernels)) archive.unpack([archive.kernel()], kernels)
    } catch (error) {
      if (error instanceof Skip) throw error
      throw new Skip(`QEMU, the kernel or the tools could not be fetched: ${error.message}`)
    }
  }
  const [image] = readdirSync(join(kernels, 'boot')).filter((name) => name.startsWith('vmlinuz-'))
  const release = image.slice('vmlinuz-'.length)
  return { qemu, tools: guestTools, kernel: kernels, release }
}

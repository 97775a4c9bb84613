// All that a boot needs, prepared once: packages, kernel, initramfs, and what is compiled for the guest.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareKernel } from './kernel.mjs'
import { fetchPackages } from './packages.mjs'
import { Skip, call } from './run.mjs'

export const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const build = join(checkout, 'build', 'dax')
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sealog-dax')

function buildPrograms(programs) {
  const options = ['-DSEALOG_TESTS=ON', '-DSEALOG_ADDON=ON', '-DCMAKE_BUILD_TYPE=Release']
  const folder = join(build, 'native')
  call('cmake', ['-S', join(checkout, 'test/dax'), '-B', folder, ...options], { timeoutMs: 600_000 })
  if (programs.length > 0) call('cmake', ['--build', folder, '-j2', '--target', ...programs], { timeoutMs: 1_800_000 })
  return folder
}

/** What runs in the guest: a copy, so that building meanwhile does no harm. */
function copyPackage(target) {
  const parts = ['package.json', 'dist', 'prebuilds', 'demo', 'test/dax/guest', 'test/support/kill-operations.mjs']
  for (const part of parts) cpSync(join(checkout, part), join(target, part), { recursive: true })
  symlinkSync(join(checkout, 'node_modules'), join(target, 'node_modules'))
  return target
}

/**
 * @param programs of CMakeLists.txt, to be built
 * @returns the lab: { vmlinux, initramfs, qemu, tools, native, sealog, folder, needs }; `folder` is new, and gone when the process ends
 * @throws Skip if this machine cannot have one
 */
export function prepareLab(programs) {
  if (!existsSync('/usr/include/gtest/gtest.h'))
    throw new Skip('no GoogleTest headers (Debian: apt-get install libgtest-dev)')
  if (process.getuid() !== 0) throw new Skip('the guest reads the root file system of the host, so this needs root')
  for (const file of ['dist/index.js', `prebuilds/linux-${process.arch}/sealog.node`]) {
    if (!existsSync(join(checkout, file))) throw new Error(`${file} is missing: npm run build`)
  }
  const packages = fetchPackages(cache)
  const kernel = prepareKernel(packages, build)
  const native = buildPrograms(programs)
  mkdirSync(build, { recursive: true })
  const folder = mkdtempSync(join(tmpdir(), 'sealog-dax-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return {
    ...kernel,
    qemu: packages.qemu,
    tools: packages.tools,
    native,
    folder,
    sealog: copyPackage(join(folder, 'sealog')),
    needs: [checkout, cache, folder],
  }
}

/** The commands of a guest: lib.sh, and then these. */
export function guestScript(lab, commands) {
  return `checkout=${lab.sealog} tools=${lab.tools} native=${lab.native}\n. ${lab.sealog}/test/dax/guest/lib.sh\n${commands}\n`
}

/** A new sparse image of the NVDIMM in the lab's folder. */
export function makeImage(lab, name, mebibytes) {
  const path = join(lab.folder, name)
  call('truncate', ['-s', `${mebibytes}M`, path])
  return path
}

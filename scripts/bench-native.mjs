// Builds and runs the small native benches: persist by byte count and instruction, checksums, tree probes.
//   npm run bench:native -- [--smoke] [--dir D]
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'bench')
const { values } = parseArgs({
  options: {
    smoke: { type: 'boolean', default: false },
    dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
})

const quiet = (command, args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  console.error(stdout + stderr)
  process.exit(1)
}
const run = (program, ...args) => {
  console.log(`\n${program}`)
  const { status } = spawnSync(join(build, program), args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
quiet('cmake', ['-S', 'native', '-B', build, '-DSEALOG_ADDON=OFF', '-DSEALOG_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release'])
quiet('cmake', ['--build', build, '-j2'])
const folder = mkdtempSync(join(values.dir, 'sealog-probe-'))
try {
  const times = values.smoke ? ['1000'] : []
  run('sealog_persist_bench', ...times)
  run('sealog_checksum_bench', ...times)
  run('sealog_probe_bench', folder, ...(values.smoke ? ['1000', '10000'] : []))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

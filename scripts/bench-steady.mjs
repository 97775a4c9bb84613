// Builds and runs the native steady-state bench: npm run bench:steady -- [--puts N] [--keys N] [--order random|sequential] [--checkpoint BYTES] [--flush F] [--dir D]
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
    puts: { type: 'string', default: '1000000' },
    keys: { type: 'string' },
    order: { type: 'string', default: 'random' },
    checkpoint: { type: 'string', default: '524288' },
    flush: { type: 'string' },
    dir: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
  },
})

const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status ?? 1
const quiet = (command, args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  console.error(stdout + stderr)
  process.exit(1)
}
quiet('cmake', ['-S', 'native', '-B', build, '-DSEALOG_ADDON=OFF', '-DSEALOG_BENCH=ON', '-DCMAKE_BUILD_TYPE=Release'])
quiet('cmake', ['--build', build, '-j2'])
const folder = mkdtempSync(join(values.dir, 'sealog-steady-'))
try {
  const args = [join(folder, 'steady.sealog'), values.puts, values.keys ?? values.puts, values.order, values.checkpoint]
  process.exitCode = run(join(build, 'sealog_bench'), values.flush ? [...args, values.flush] : args)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

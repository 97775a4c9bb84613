// An addon built with AddressSanitizer and UndefinedBehaviorSanitizer, and what processes that load it need: the sanitizers'
// runtimes are preloaded into Node, and every process that it starts inherits them. A report of AddressSanitizer is a file; one of
// UndefinedBehaviorSanitizer goes to standard error beside it. Either ends its process (-fno-sanitize-recover).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { env, exit } from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build', 'addon-asan')

/** Paths of the runtimes. Ends this process, as skipped, where the compiler has none. @param lane for the message */
function findRuntimes(lane) {
  const compiler = env.CXX ?? 'c++'
  return ['libasan.so', 'libubsan.so'].map((name) => {
    const { stdout } = spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' })
    const path = (stdout ?? '').trim()
    // A compiler that does not have it prints the bare name.
    if (isAbsolute(path) && existsSync(path)) return path
    console.log(`SKIPPED: ${lane}: ${compiler} has no ${name}`)
    exit(0)
  })
}

function buildAddon() {
  const settings = ['-DSEALOG_SANITIZE=address,undefined']
  for (const args of [
    ['-S', 'native', '-B', build, '-G', 'Unix Makefiles', ...settings],
    ['--build', build, '--target', 'sealog_addon', '-j2'],
  ]) {
    const { status } = spawnSync('cmake', args, { cwd: root, stdio: 'inherit' })
    if (status !== 0) exit(status ?? 1)
  }
  return join(build, 'sealog.node')
}

/**
 * The environment of a sanitized run, and a directory for its files, `scratch`, which whoever asked for it removes with `end()`.
 * @param lane how it is called where it is skipped
 * @param addon a file to take instead of building one
 */
export function sanitizedRun(lane, addon) {
  const runtimes = findRuntimes(lane)
  const file = addon === undefined ? buildAddon() : resolve(addon)
  const scratch = mkdtempSync(join(tmpdir(), 'sealog-sanitized-'))
  const reports = join(scratch, 'report')
  return {
    scratch,
    env: {
      ...env,
      SEALOG_ADDON: file,
      LD_PRELOAD: runtimes.join(':'),
      // The store answers SIGBUS itself, and Node its own SIGSEGV. Node is not built for leak detection.
      ASAN_OPTIONS: `detect_leaks=0:handle_sigbus=0:handle_segv=0:log_path=${reports}`,
      UBSAN_OPTIONS: 'print_stacktrace=1',
    },
    /** Prints the reports of all its processes. @returns how many there are */
    tellReports() {
      const found = readdirSync(scratch).filter((name) => name.startsWith('report.'))
      for (const name of found) console.log(`REPORT ${readFileSync(join(scratch, name), 'utf8').slice(0, 6000)}`)
      return found.length
    },
    end: () => rmSync(scratch, { recursive: true, force: true }),
  }
}

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { planHeaderBytes } from '../../src/recovery/plan.ts'
import type { Decision } from './decision.ts'
import type { MetaCase } from './meta-cases.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'build/recovery')

function run(command: string, args: readonly string[], input?: Buffer): Buffer {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, input, maxBuffer: 2 ** 30 })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}`, { cause: error ?? String(stderr) })
  return stdout
}

/** Builds sealog_twin, the native twin as a program. */
export function buildTwin(): void {
  run('cmake', ['-S', 'test/recovery', '-B', folder])
  run('cmake', ['--build', folder, '--target', 'sealog_twin'])
}

/** What the native side decides: twin_main.cc. */
export function askTwin(cases: readonly MetaCase[]): Decision[] {
  const input = cases.flatMap(({ image, fileBytes, readOnly, checkpointBytes }) => {
    const head = Buffer.alloc(24)
    head.writeUInt32LE(image.length, 0)
    head.writeUInt32LE(readOnly ? 1 : 0, 4)
    head.writeBigUInt64LE(BigInt(fileBytes), 8)
    head.writeBigUInt64LE(BigInt(checkpointBytes), 16)
    return [head, image]
  })
  const out = run(join(folder, 'sealog_twin'), [], Buffer.concat(input))
  let at = 0
  return cases.map(() => {
    const [status, older, startStatus, bytes] = [0, 4, 8, 12].map((field) => out.readUInt32LE(at + field))
    const plan = out.subarray(at + 16, at + 16 + bytes!)
    at += 16 + bytes!
    if (bytes! > 0 && bytes! < planHeaderBytes) throw new Error('the answer is no plan')
    return { status: status!, older: older === 1, plan, startStatus: startStatus! }
  })
}

// META recovery in TypeScript against the native twin of the tests (test/recovery/README.md):
//   npm run test:recovery -- --cases N --seed S --first I
import { spawnSync } from 'node:child_process'
import { env, execPath, exit } from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
})
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
const { status } = spawnSync(execPath, [vitest, 'run', 'test/recovery/twin.test.ts', '--disable-console-intercept'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  stdio: 'inherit',
  env: {
    ...env,
    SEALOG_RECOVERY_CASES: values.cases,
    SEALOG_RECOVERY_SEED: values.seed,
    SEALOG_RECOVERY_FIRST: values.first,
  },
})
exit(status ?? 1)

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { checkLayers } from '../../scripts/check-layers.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'sealog-layers-'))
afterAll(() => {
  rmSync(copy, { recursive: true })
})
for (const folder of ['src', 'native']) cpSync(join(root, folder), join(copy, folder), { recursive: true })

/** What the check says about a file put into a copy of the sources. */
function violations(path: string, text: string): string[] {
  writeFileSync(join(copy, path), text)
  const found = checkLayers(copy)
  rmSync(join(copy, path))
  return found
}

describe('the layers', () => {
  it('are kept', () => {
    expect(checkLayers()).toEqual([])
  })

  it.each([
    ['src/engine/x.ts', "import { a } from '../codec/keys.ts'", /engine\/x\.ts imports codec, which is above/],
    ['src/layout/x.ts', "import type { A } from '../errors.ts'", /layout is a leaf/],
    ['src/codec/x.ts', "import { loadBinding } from '../engine/binding.ts'", /go through engine\/engine\.ts/],
    ['src/recovery/x.ts', "const a = 'sealog.node'", /only src\/engine\/ may/],
    ['src/misc.ts', 'export const a = 1', /in no layer/],
    ['src/layout/x.ts', "export {\n  a,\n} from '../engine/engine.ts'", /leaf|above/],
    ['native/log/x.h', '#include "store/store.h"', /which is not below log/],
    ['native/format/x.h', '#include "platform/file.h"', /format is a leaf/],
    ['native/store/x.cc', '#include <node_api.h>', /Node-API/],
    ['native/region/x.cc', '#include <sys/mman.h>', /system header/],
    ['native/log/x.cc', '#include <immintrin.h>', /intrinsics/],
    ['native/index/x.cc', '  _mm_sfence();', /flushes or fences/],
  ])('a violation in %s is found: %s', (path, text, message) => {
    expect(violations(path, text).join('\n')).toMatch(message)
  })

  it('have room for SSE2 in the index', () => {
    expect(violations('native/index/x.cc', '#include <emmintrin.h>\n')).toEqual([])
  })
})

describe('imports', () => {
  it('have no cycles between units of one row', () => {
    expect(violations('src/options/x.ts', "import { a } from '../recovery/plan.ts'").join()).toMatch(/cycle/)
  })
})

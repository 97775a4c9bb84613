// The layer rules of docs/design.md, as data and as a check. Prints each violation; exits 1 if there is one.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'

const packageRoot = fileURLToPath(new URL('..', import.meta.url))

// A unit is a folder or file directly under src/. It may import units further down, and its own row, without cycles.
const typescriptRows = [
  ['index', 'cli', 'level', 'keyv'],
  ['salvage', 'restore'],
  ['open', 'store'],
  ['backup', 'compact-copy', 'verify'],
  ['transaction', 'snapshot', 'namespace', 'overlay'],
  ['table', 'put-stream', 'counter', 'structure-store'],
  ['core', 'janitor', 'catalogue', 'change-feed', 'write-gate', 'read-view', 'namespace-options'],
  [
    'run-batch',
    'system-tree',
    'batch',
    'write-options',
    'range',
    'rows',
    'leak',
    'keyspace',
    'group-commit',
    'growth',
    'stats',
    'native-session',
    'compaction',
    'value-source',
    'state-ref',
    'snapshot-ref',
    'get-many',
    'get-stream',
    'view',
    'pin',
    'image-file',
    'long-work',
    'telling',
    'open-telling',
    'store-path',
  ],
  ['diagnostics'],
  ['codec', 'options', 'recovery'],
  ['engine'],
  ['errors', 'layout'],
]
// From the top; each may include what is below it, and the leaves.
const nativeRows = ['addon', 'store', 'index', 'log', 'region', 'persist', 'platform']
const nativeLeaves = ['base', 'format']

const nativeOnly = [
  {
    pattern: /^\s*#\s*include\s*[<"](napi\.h|node_api\.h|js_native_api\.h)/,
    what: 'includes Node-API',
    allowed: ['addon'],
  },
  {
    pattern: /^\s*#\s*include\s*<(sys\/|linux\/|unistd\.h|fcntl\.h|dirent\.h|pthread\.h|sched\.h|signal\.h)/,
    what: 'includes a system header',
    allowed: ['platform'],
  },
  {
    pattern: /^\s*#\s*include\s*<(immintrin|x86intrin|xmmintrin|nmmintrin|arm_acle)\.h>/,
    what: 'includes intrinsics',
    allowed: ['persist', 'base/crc32c'],
  },
  { pattern: /^\s*#\s*include\s*<emmintrin\.h>/, what: 'includes SSE2 intrinsics', allowed: ['persist', 'index'] },
  {
    pattern: /\b(_mm_clwb|_mm_clflush(opt)?|_mm_sfence|_mm(256|512)?_stream_\w+)\s*\(/,
    what: 'flushes or fences',
    allowed: ['persist'],
  },
]
// A constant of the kernel's interface is no system call.
const nativeExceptions = [
  { file: 'region/seal.cc', include: 'linux/falloc.h' },
  { file: 'region/extender.cc', include: 'linux/falloc.h' },
]

/** Every violation of the rules under `root`, a sentence each. */
export function checkLayers(root = packageRoot) {
  return [...checkTypescript(join(root, 'src')), ...checkNative(join(root, 'native'))]
}

function filesUnder(folder, pattern) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function checkTypescript(src) {
  const problems = []
  /** Unit -> units that it imports, types included. */
  const graph = new Map()
  const unitOf = (file) => relative(src, file).split('/')[0].replace(/\.ts$/, '')
  const rowOf = (unit) => typescriptRows.findIndex((row) => row.includes(unit))
  for (const file of filesUnder(src, /\.ts$/)) {
    const name = relative(src, file)
    const text = readFileSync(file, 'utf8')
    const unit = unitOf(file)
    if (rowOf(unit) < 0) problems.push(`src/${name} is in no layer: name '${unit}' in scripts/check-layers.mjs`)
    if (/\.node['"`]/.test(text) && name !== 'engine/binding.ts')
      problems.push(`src/${name} loads the addon; only src/engine/ may`)
    const targets = [
      ...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s+'(\.[^']*)'|^\s*import\s+'(\.[^']*)'/gm),
    ].map((match) => resolve(dirname(file), match[1] ?? match[2]))
    const imported = graph.get(unit) ?? graph.set(unit, new Set()).get(unit)
    for (const target of targets) {
      const targetUnit = unitOf(target)
      if (targetUnit !== unit) imported.add(targetUnit)
      if (rowOf(targetUnit) < rowOf(unit)) problems.push(`src/${name} imports ${targetUnit}, which is above it`)
      if (relative(src, target) === 'engine/binding.ts' && name !== 'engine/engine.ts') {
        problems.push(`src/${name} imports engine/binding.ts; go through engine/engine.ts`)
      }
      if (rowOf(unit) === typescriptRows.length - 1 && targetUnit !== unit) {
        problems.push(`src/${name} imports ${targetUnit}, but ${unit} is a leaf`)
      }
    }
  }
  return [...problems, ...findCycles(graph)]
}

function findCycles(graph) {
  const problems = []
  for (const start of graph.keys()) {
    const reached = new Set()
    const queue = [...graph.get(start)]
    for (let unit = queue.pop(); unit !== undefined; unit = queue.pop()) {
      if (reached.has(unit)) continue
      reached.add(unit)
      queue.push(...(graph.get(unit) ?? []))
    }
    if (reached.has(start))
      problems.push(`src/${start} is in an import cycle (with some of ${[...reached].join(', ')})`)
  }
  return problems
}

function checkNative(native) {
  const problems = []
  for (const file of filesUnder(native, /\.(h|cc)$/)) {
    const name = relative(native, file)
    const layer = name.split('/')[0]
    const row = nativeRows.indexOf(layer)
    if (row < 0 && !nativeLeaves.includes(layer)) problems.push(`native/${name} is in no layer`)
    readFileSync(file, 'utf8')
      .split('\n')
      .forEach((line, i) => {
        const where = `native/${name}:${i + 1}`
        const included = /^\s*#\s*include\s*"([^"/]+)\//.exec(line)?.[1]
        if (included !== undefined && included !== layer && !nativeLeaves.includes(included)) {
          const target = nativeRows.indexOf(included)
          if (row < 0) problems.push(`${where} includes ${included}, but ${layer} is a leaf`)
          else if (target < row) problems.push(`${where} includes ${included}, which is not below ${layer}`)
        }
        if (nativeExceptions.some((each) => each.file === name && line.includes(`<${each.include}>`))) return
        for (const { pattern, what, allowed } of nativeOnly) {
          if (pattern.test(line.replace(/\/\/.*/, '')) && !allowed.some((each) => name.startsWith(each))) {
            problems.push(`${where} ${what}; only ${allowed.join(', ')} may`)
          }
        }
      })
  }
  return problems
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkLayers()
  for (const problem of problems) console.error(problem)
  console.log(problems.length === 0 ? 'layers: ok' : `layers: ${problems.length} violations`)
  process.exitCode = problems.length === 0 ? 0 : 1
}

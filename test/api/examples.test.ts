// What docs/api.md, docs/diagnostics.md and README's quick start show is so: every ```ts block is type-checked and run, by itself, with a small new store.
//
// `// value` behind an expression, or behind the declaration of a constant, is checked when it is a literal, or several with `|` between
// them (one of these); text may follow behind `;`. `// throws CODE` is checked too, CODE being a SealogError's code or the error's name.
// A comment of any other form is text. A block that does not import 'sealog' begins with `db`, an open store.
import * as diagnosticsChannel from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import ts from 'typescript'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as sealog from '../../src/index.ts'
import { scratchDirectory } from '../support/scratch.ts'

const root = join(import.meta.dirname, '../..')
const prelude = "import { open } from 'sealog'; const db = open('/mnt/pmem/app'); "

interface Example {
  readonly name: string
  /** The block, with its first line where it is in the document. */
  readonly code: string
  readonly firstLine: number
}

function examplesOf(document: string, heading?: string): Example[] {
  const text = readFileSync(join(root, document), 'utf8')
  const from = heading === undefined ? 0 : text.indexOf(`\n## ${heading}\n`)
  if (from < 0) throw new Error(`${document} has no heading '${heading ?? ''}'`)
  const to = heading === undefined ? text.length : text.indexOf('\n## ', from + 1)
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)]
    .filter(({ index }) => index > from && index < to)
    .map(({ index, 1: block = '' }) => {
      const firstLine = text.slice(0, index).split('\n').length + 1
      const code = block.includes("from 'sealog'") ? block : prelude + block
      return { name: `${document}:${firstLine}`, code, firstLine }
    })
}

const examples = [
  ...examplesOf('docs/api.md'),
  ...examplesOf('docs/diagnostics.md'),
  ...examplesOf('README.md', 'Quick start'),
]

interface Expectation {
  /** Any of these. */
  readonly values?: readonly unknown[]
  readonly throws?: string
}

/** The value of a literal; throws for any other expression. */
function literalOf(node: ts.Expression): unknown {
  if (ts.isParenthesizedExpression(node)) return literalOf(node.expression)
  if (ts.isStringLiteral(node)) return node.text
  if (ts.isNumericLiteral(node)) return Number(node.text)
  if (ts.isBigIntLiteral(node)) return BigInt(node.text.slice(0, -1))
  if (ts.isIdentifier(node) && node.text === 'undefined') return undefined
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true
  if (node.kind === ts.SyntaxKind.FalseKeyword) return false
  if (node.kind === ts.SyntaxKind.NullKeyword) return null
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken)
    return -(literalOf(node.operand) as number)
  if (ts.isArrayLiteralExpression(node)) return node.elements.map(literalOf)
  if (ts.isObjectLiteralExpression(node)) {
    return Object.fromEntries(
      node.properties.map((property) => {
        if (ts.isPropertyAssignment(property) && (ts.isIdentifier(property.name) || ts.isStringLiteral(property.name)))
          return [property.name.text, literalOf(property.initializer)]
        throw new Error('no literal')
      }),
    )
  }
  throw new Error('no literal')
}

function alternativesOf(node: ts.Expression): unknown[] {
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.BarToken)
    return [...alternativesOf(node.left), ...alternativesOf(node.right)]
  return [literalOf(node)]
}

/** What a comment says, if it is of a form that is checked. */
function expectationOf(comment: string): Expectation | undefined {
  const throws = /^throws (\w+)/.exec(comment)?.[1]
  if (throws !== undefined) return { throws }
  const [said = ''] = comment.split(/;(?:\s|$)/)
  const file = ts.createSourceFile('comment.ts', `(${said})`, ts.ScriptTarget.ES2022)
  const [statement] = file.statements
  // Not valid, or several: text.
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: unknown[] }
  if (parseDiagnostics.length > 0 || file.statements.length !== 1 || !statement || !ts.isExpressionStatement(statement))
    return undefined
  try {
    const { expression } = statement
    return { values: alternativesOf(ts.isParenthesizedExpression(expression) ? expression.expression : expression) }
  } catch {
    return undefined
  }
}

interface Program {
  readonly javascript: string
  readonly expectations: readonly Expectation[]
}

/** The example with calls of `check(index, line, () => expression)` where a comment says what it yields, and `modules` for its imports. */
function programOf({ code, firstLine }: Example, directory: string): Program {
  const file = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true)
  const edits: { from: number; to: number; text: string }[] = []
  const expectations: Expectation[] = []

  const commentBehind = (statement: ts.Node): string | undefined =>
    ts
      .getTrailingCommentRanges(code, statement.end)
      ?.filter(({ kind }) => kind === ts.SyntaxKind.SingleLineCommentTrivia)
      .map(({ pos, end }) => code.slice(pos + 2, end).trim())[0]
  const check = (expression: ts.Expression, statement: ts.Node): void => {
    const comment = commentBehind(statement)
    const expectation = comment === undefined ? undefined : expectationOf(comment)
    if (!expectation) return
    const line = firstLine + file.getLineAndCharacterOfPosition(expression.getStart()).line
    const isAwait = ts.isAwaitExpression(expression)
    const text = code.slice(expression.getStart(), expression.end)
    const call = `check(${expectations.push(expectation) - 1}, ${line}, ${isAwait ? 'async ' : ''}() => (${text}))`
    edits.push({ from: expression.getStart(), to: expression.end, text: isAwait ? `await ${call}` : call })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = code.slice(node.importClause?.getStart() ?? node.end, node.importClause?.end ?? node.end)
      const names = clause.replaceAll(/\btype \w+,?\s*/g, '')
      const module = (node.moduleSpecifier as ts.StringLiteral).text
      edits.push({ from: node.getStart(), to: node.end, text: `const ${names} = modules[${JSON.stringify(module)}]` })
      return
    }
    if (ts.isExpressionStatement(node)) check(node.expression, node)
    if (ts.isVariableStatement(node) && node.declarationList.declarations.length === 1) {
      const initializer = node.declarationList.declarations[0]?.initializer
      if (initializer) check(initializer, node)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)

  let edited = code
  for (const { from, to, text } of edits.sort((a, b) => b.from - a.from))
    edited = edited.slice(0, from) + text + edited.slice(to)
  const { outputText } = ts.transpileModule(edited.replaceAll('/mnt/pmem', directory), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  })
  return { javascript: outputText.replace(/^export \{\};$/m, ''), expectations }
}

function verify({ values, throws }: Expectation, line: number, error: unknown, value: unknown): unknown {
  if (throws !== undefined) {
    const { code, name } = (error ?? { name: 'nothing' }) as { code?: unknown; name: string }
    expect(typeof code === 'string' ? code : name, `line ${line} throws`).toBe(throws)
    return undefined
  }
  if (error !== undefined) throw error as Error
  if (!values?.some((each) => isDeepStrictEqual(value, each)))
    expect(value, `line ${line}`).toStrictEqual(values?.length === 1 ? values[0] : values)
  return value
}

/** `open` and `openAsync` as they are, but for the size of what they create, and that the test closes it. */
function smallSealog(): typeof sealog {
  const closed = <T extends { close(): void }>(db: T): T => {
    onTestFinished(() => {
      db.close()
    })
    return db
  }
  const capacity = '32MiB'
  return {
    ...sealog,
    open: (path, options) => closed(sealog.open(path, { ...options, capacity })),
    openAsync: async (path, options) => closed(await sealog.openAsync(path, { ...options, capacity })),
  }
}

async function run(example: Example): Promise<number> {
  const { javascript, expectations } = programOf(example, scratchDirectory())
  const met = new Set<number>()
  const check = (index: number, line: number, evaluate: () => unknown): unknown => {
    met.add(index)
    const expectation = expectations[index] ?? {}
    let value: unknown
    try {
      value = evaluate()
    } catch (error) {
      return verify(expectation, line, error, undefined)
    }
    if (!(value instanceof Promise)) return verify(expectation, line, undefined, value)
    return value.then(
      (result) => verify(expectation, line, undefined, result),
      (error: unknown) => verify(expectation, line, error, undefined),
    )
  }
  const AsyncFunction = run.constructor as new (...text: string[]) => (...values: unknown[]) => Promise<void>
  const program = new AsyncFunction('modules', 'check', 'console', javascript)
  const quiet = { log: () => undefined }
  await program({ sealog: smallSealog(), 'node:diagnostics_channel': diagnosticsChannel }, check, quiet)
  expect(met.size, 'checks that were come to').toBe(expectations.length)
  return expectations.length
}

describe('every example', () => {
  it.each(examples)('$name runs, and yields what it says', async (example) => {
    await run(example)
  })

  it('is right by its types', { timeout: 120_000 }, () => {
    const path = join(root, 'tsconfig.json')
    const { options } = ts.parseJsonConfigFileContent(
      ts.readConfigFile(path, (name) => ts.sys.readFile(name)).config,
      ts.sys,
      root,
    )
    options.paths = { sealog: [join(root, 'src/index.ts')] }
    options.noUnusedLocals = options.noUnusedParameters = false
    const sources = new Map(
      examples.map(({ code }, i) => [join(root, `test/api/example-${i}.ts`), `${code}\nexport {}\n`]),
    )
    const disk = ts.createCompilerHost(options)
    const host: ts.CompilerHost = {
      ...disk,
      fileExists: (name) => sources.has(name) || disk.fileExists(name),
      readFile: (name) => sources.get(name) ?? disk.readFile(name),
      getSourceFile: (name, target, ...rest) => {
        const text = sources.get(name)
        return text === undefined ? disk.getSourceFile(name, target, ...rest) : ts.createSourceFile(name, text, target)
      },
    }
    const program = ts.createProgram([...sources.keys()], options, host)
    // Of the examples only: `npm run check` looks at what they import.
    const problems = [...sources.keys()].flatMap((name, i) => {
      const file = program.getSourceFile(name)
      return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map((problem) => {
        const line = file?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0
        const message = ts.flattenDiagnosticMessageText(problem.messageText, '\n')
        return `${examples[i]?.name ?? ''}, line ${(examples[i]?.firstLine ?? 0) + line}: ${message}`
      })
    })
    expect(problems).toEqual([])
  })
})

describe('a check of examples', () => {
  const example = (block: string): Example => ({ name: 'made up', code: prelude + block, firstLine: 1 })

  it('counts those that say a value', async () => {
    const block = [
      "db.putSync('a', { n: 1 }) // durable when it returns",
      "db.get('a') // { n: 1 }; or undefined",
      'const n = db.count() // 0 | 1',
      "db.getMany(['a', 'b']) // [{ n: 1 }, undefined]",
      "db.transactionSync(() => db.removeSync('a')) // throws ERR_SEALOG_TRANSACTION",
      "await db.increment('c', -2n) // -2n",
    ].join('\n')
    expect(await run(example(block))).toBe(5)
  })

  it.each([
    ["db.get('a') // 1", 'line 1'],
    ["\nawait db.increment('a') // 2", 'line 2'],
    ['const n = db.count() // 1 | 2', 'line 1'],
    ["db.get('a') // throws TypeError", 'line 1 throws'],
    ['db.get({} as never) // throws ERR_SEALOG_CLOSED', 'line 1 throws'],
    ["if (db.has('a')) {\n  db.get('a') // 1\n}", 'come to'],
  ])('fails for %j', async (block, message) => {
    await expect(run(example(block))).rejects.toThrow(message)
  })
})

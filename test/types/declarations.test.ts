// The declarations that callers get: nothing in them is `any`, and they need no package but Node's types.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { assertBuilt } from '../support/built.ts'

const dist = join(import.meta.dirname, '../../dist')

interface Found {
  readonly files: Set<string>
  readonly packages: Set<string>
  readonly anys: string[]
}

/** What is in a declaration file, and in those that it imports. */
function look(file: string, found: Found = { files: new Set(), packages: new Set(), anys: [] }): Found {
  if (found.files.has(file)) return found
  found.files.add(file)
  const source = ts.createSourceFile(file, readFileSync(join(dist, file), 'utf8'), ts.ScriptTarget.ES2022, true)
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) found.anys.push(`${file}: ${node.parent.getText()}`)
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      const { text } = node.moduleSpecifier
      if (text.startsWith('.')) look(join(dirname(file), text).replace(/\.[jt]s$/, '.d.ts'), found)
      else if (!text.startsWith('node:')) found.packages.add(text)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe('declarations', () => {
  it('of sealog have no any, and no imports from packages', () => {
    assertBuilt()
    const { files, packages, anys } = look('index.d.ts')
    expect(files.size).toBeGreaterThan(10)
    expect(files).toContain('transaction.d.ts')
    expect(anys).toEqual([])
    expect([...packages]).toEqual([])
  })
})

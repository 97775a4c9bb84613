import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The addon keeps one mapping per file and process, and some tests kill processes: forks, not threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
  },
})

import { defineConfig } from 'vitest/config'

/** `npm run long`: what takes longer than CI may (chaos, coverage of intervals, soaks), one file at a time. */
export default defineConfig({
  test: {
    include: ['test/**/*.long.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    pool: 'forks',
    maxWorkers: 1,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A second by default, which a busy machine needs for less than what is polled.
    expect: { poll: { timeout: 50_000 } },
    // Worker threads, child processes and native sessions live in the tests; forks keep one test's crash from another's.
    pool: 'forks',
    maxWorkers: 2,
  },
})

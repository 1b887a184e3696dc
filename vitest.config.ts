import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Limits for what hangs: on a busy machine a test may take twenty times as long as on an idle one.
    testTimeout: 480_000,
    hookTimeout: 480_000,
    expect: { poll: { timeout: 120_000 } },
    // A test that fails is tried once more; one that then passes is named before the tally, with what failed, as unsteady.
    retry: 1,
    // Worker threads, child processes and native sessions live in the tests; forks keep one test's crash from another's.
    pool: 'forks',
    // Tests wait for servers and processes: on two cores, two files at a time leave a third of the machine idle.
    maxWorkers: 3,
  },
})

import type { Reporter, TestModule } from 'vitest/node'

/**
 * Ends the run with one line that people and machines read alike: `N passed, N failed, N skipped`. Before it stand the tests that
 * failed once and passed when tried again, with what failed: each is a fault, of the test or of mlds, that is to be mended.
 */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const tally = { passed: 0, failed: errors.length, skipped: 0 }
    const unsteady: string[] = []
    for (const module of modules) {
      // A file that can't be loaded has no tests to count, and must not pass for none.
      if (
        module.state() === 'failed' &&
        [...module.children.allTests()].every((test) => test.result().state !== 'failed')
      )
        tally.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (test.diagnostic()?.flaky === true)
          unsteady.push(
            `Unsteady: ${test.fullName} (${module.relativeModuleId}): ${test.result().errors?.[0]?.message}\n`,
          )
        if (state === 'passed') tally.passed++
        else if (state === 'failed') tally.failed++
        else tally.skipped++
      }
    }
    process.on('exit', () =>
      process.stdout.write(
        `${unsteady.join('')}\n${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`,
      ),
    )
  }
}

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/** A program that fails where `x` is odd, each time with another word. */
const spec = `experiment:
  command: ['sh', '-c', 'if [ $(($1 % 2)) = 1 ]; then echo "no luck with $1" >&2; exit 3; fi; echo "{\\"loss\\": $1}"', 'sh', '{x}']
axes: { x: 0..9 }
`
const alike = `experiment:
  command: ['sh', '-c', 'echo "no such data" >&2; exit 3']
repeat: 9
`

interface Summary {
  planned: number
  finished: number
  failed: number
  missing: number
  cutShort?: string
}

async function sweep(text: string, ...flags: string[]): Promise<Summary & { code: number | null; stderr: string }> {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'my.yaml'), text)
  const { code, stdout, stderr } = await mlds(['sweep', 'my.yaml', '--workers', '1', '--json', ...flags], { cwd })
  return { ...(JSON.parse(stdout) as Summary), code, stderr }
}

describe('a sweep of a program that fails', () => {
  it('goes on to its end, and tells each failure with its log', async () => {
    const { stderr, ...summary } = await sweep(spec)
    expect(summary).toMatchObject({ code: 1, planned: 10, finished: 5, failed: 5, missing: 0 })
    expect(stderr).toMatch(/failed: [0-9a-f]{16} x=3 seed=0: .*exit code 3: no luck with 3\n {4}log: .*\.log/)
  })

  it('starts nothing after the first failure with --fail-fast, and after so many with --max-failures', async () => {
    expect(await sweep(spec, '--fail-fast')).toMatchObject({ code: 1, failed: 1, finished: 1, missing: 8 })
    expect(await sweep(spec, '--max-failures', '2')).toMatchObject({
      failed: 2,
      finished: 2,
      missing: 6,
      cutShort: '2 trials failed, the most allowed (--max-failures 2)',
    })
  })

  it('tries again as often as --retries says, and counts a trial once', async () => {
    const { stderr, ...summary } = await sweep(spec, '--set', 'x=1', '--retries', '2')
    expect(summary).toMatchObject({ code: 1, planned: 1, failed: 1 })
    expect(stderr.match(/^lost: .*no luck with 1/gm)).toHaveLength(2)
  })

  it('stops when the first trials all fail alike, with one message', async () => {
    expect(await sweep(alike)).toMatchObject({
      code: 1,
      planned: 9,
      failed: 3,
      missing: 6,
      cutShort: 'the first 3 trials all failed alike: the program ended with exit code 3: no such data',
    })
  })
})

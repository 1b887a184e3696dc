import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/** x=1 gives 4 whatever the seed, x=2 gives 1 or 9. */
const noisy = `experiment: { command: ['sh', '-c', 'echo "{\\"loss\\": $(( $1 == 1 ? 4 : 1 + 8 * $2 ))}"', 'sh', '{x}', '{seed}'] }
axes: { x: [1, 2] }
repeat: 2
`

describe('the best of a sweep', () => {
  it('is the same at its end, by best, by status and in JSON, by the mean over seeds, taken over or not', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), noisy)
    const line = 'best by the mean over 2 seeds: x=1, loss 4, standard deviation 0'
    for (const flags of [
      ['--name', 'one'],
      ['--name', 'again'],
      ['--name', 'more', '--set', 'x=1,2,3'],
    ]) {
      const { stdout } = await mlds(['sweep', 'my.yaml', ...flags], { cwd })
      expect(stdout.split('\n')).toContain(line)
      const name = flags[1]!
      expect((await mlds(['status', name], { cwd })).stdout.split('\n')).toContain(line)
      const summary = JSON.parse((await mlds(['resume', name, '--json'], { cwd })).stdout) as object
      const { points } = JSON.parse((await mlds(['best', name, '--json'], { cwd })).stdout) as { points: object[] }
      expect(summary).toMatchObject({ best: { standing: points[0], tied: 0 } })
    }
  })

  it('may be the greatest, with --maximize alone', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), noisy)
    await mlds(['sweep', 'my.yaml', '--name', 'one'], { cwd })
    const { stdout } = await mlds(['best', 'one', '--maximize', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ points: [{ params: { x: 2 }, mean: 5 }, { params: { x: 1 } }] })
  })

  it('may be the least, with --minimize, of an objective that is maximized; not both', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'my.yaml'), `${noisy}objective: { metric: loss, direction: maximize }\n`)
    await mlds(['sweep', 'my.yaml', '--name', 'one'], { cwd })
    const { stdout } = await mlds(['best', 'one', '--minimize', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ points: [{ params: { x: 1 }, mean: 4 }, { params: { x: 2 } }] })
    const both = await mlds(['best', 'one', '--minimize', '--maximize'], { cwd })
    expect(both).toMatchObject({ code: 2, stdout: '' })
    expect(both.stderr).toMatch(/--minimize.*--maximize|--maximize.*--minimize/)
  })
})

import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

describe('a mistake at the prompt', () => {
  it.each([
    [['swep', 'params'], 'Error: unknown command: swep\n  did you mean sweep?\n'],
    [['nats', 'upp'], 'Error: unknown command: nats upp\n  did you mean nats up?\n'],
    [['list', 'all', 'of'], 'Error: mlds list takes no argument: all of\n  see mlds list --help\n'],
    [['nats', 'up', 'x'], 'Error: mlds nats up takes no argument: x\n  see mlds nats up --help\n'],
    [['recover', 'lost'], 'Error: Missing required flag --from\n  see --help\n'],
    [['import', 'wandb', 'none.yaml'], 'Error: none.yaml: no such file\n'],
    [['data', 'add', 'none.gz'], 'Error: none.gz: no such file\n'],
    [['frobnicate'], 'Error: unknown command: frobnicate\n  mlds --help lists them\n'],
    [
      ['plan', 'params', '--workers', '0'],
      'Error: --workers: 0 is not a number of workers (an integer from 1 to 256)\n',
    ],
    [
      ['plan', '--set', 'width=2'],
      'Error: Missing 1 required arg:\ntarget  an experiment, a sweep file (.yaml), or all (every experiment in turn)\n  see --help\n',
    ],
  ])('%j is answered by what to do, and exit code 2', async (args, said) => {
    const { code, stdout, stderr } = await mlds(args, {
      cwd: temporaryFolder(),
      // oclif has advice for developers where it takes them to be testing.
      env: { NODE_ENV: 'production' },
    })
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: said })
  })

  it('takes an argument after the values of an axis', async () => {
    const { code, stdout } = await mlds(['plan', '--set', 'width=2,4', '--set', 'seed=0', 'params'], {
      cwd: temporaryFolder(),
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/2 trials of params/)
  })
})

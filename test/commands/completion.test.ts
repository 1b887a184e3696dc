import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rerunnable } from '../../src/app/running/left-to-run.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

describe('the completion', () => {
  it('offers, in bash, what can be typed next', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, '.mlds', 'sweeps', 'widths'), { recursive: true })
    const { code, stdout } = await mlds(['completion', 'bash'], { cwd })
    expect(code).toBe(0)
    writeFileSync(join(cwd, 'mlds.bash'), stdout)
    // As bash itself calls it: the words so far, the last of which is being typed.
    const offered = (...words: string[]): string[] =>
      execFileSync(
        'bash',
        [
          '-c',
          'source ./mlds.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mlds; printf "%s\\n" "${COMPREPLY[@]}"',
          'bash',
          'mlds',
          ...words,
        ],
        { cwd, encoding: 'utf8' },
      )
        .split('\n')
        .filter((line) => line !== '')
    expect(offered('sw')).toEqual(['sweep'])
    expect(offered('')).toContain('worker')
    expect(offered('worker', '')).toContain('start')
    expect(offered('sweep', 'par')).toEqual(['params'])
    expect(offered('sweep', 'params', '--prof')).toEqual(['--profile'])
    expect(offered('sweep', 'params', '--profile', 'f')).toEqual(['full'])
    expect(offered('sweep', 'params', '--engine', 'c')).toEqual(['compiled', 'cpu'])
    expect(offered('status', '')).toEqual(['latest', 'widths'])
    expect(offered('diff', 'latest', 'int')).toEqual(['interpolate'])
    expect(offered('sweep', 'params', '--workers', '')).toEqual([])
    expect(offered('--store', 'elsewhere', 'stat')).toEqual(['status'])
    mkdirSync(join(cwd, 'of mine', 'sweeps', 'depths'), { recursive: true })
    for (const typed of [
      ['--store', "'of mine'"],
      ['--store', '=', '"of mine"'],
      ['--store', 'of\\ mine'],
    ])
      expect(offered('status', ...typed, ''), typed.join(' ')).toEqual(['latest', 'depths'])
    expect(offered('resume', '--only', '')).toEqual([...rerunnable])
  })

  it('offers, in bash, trials of the newest sweep and the axes that --set may name, also from a folder inside', async () => {
    const cwd = temporaryFolder()
    await mlds(['sweep', 'shuffle', '--profile', 'smoke', '--set', 'seed=0', '--name', 'new'], { cwd })
    const { trials } = JSON.parse(readFileSync(join(cwd, '.mlds', 'sweeps', 'new', 'plan.json'), 'utf8')) as {
      trials: { id: string }[]
    }
    writeFileSync(join(cwd, 'mlds.bash'), (await mlds(['completion', 'bash'], { cwd })).stdout)
    const inside = join(cwd, 'sub', 'deep')
    mkdirSync(inside, { recursive: true })
    writeFileSync(join(inside, 'block.yaml'), 'experiment: params\naxes:\n  width: [1]\n  batch: 3\nseeds: 0..2\n')
    writeFileSync(join(inside, 'flow.yaml'), 'experiment: params\naxes: {width: [1, 2], batch: 3}\nseeds: 0..2\n')
    const offered = (...words: string[]): string[] => {
      const script =
        'source ../../mlds.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mlds; printf "%s\\n" "${COMPREPLY[@]}"'
      const told = execFileSync('bash', ['-c', script, 'bash', 'mlds', ...words], { cwd: inside, encoding: 'utf8' })
      return told.split('\n').filter((line) => line !== '')
    }
    const id = trials[0]!.id
    expect(offered('logs', id.slice(0, 6))).toEqual([id])
    expect(offered('show', '').sort()).toEqual(trials.map((trial) => trial.id).sort())
    expect(offered('status', 'n')).toEqual(['new'])
    expect(offered('sweep', 'params', '--set', 'wid')).toEqual(['width='])
    expect(offered('sweep', '--workers', '8', 'params', '--set', 'wid')).toEqual(['width='])
    expect(offered('sweep', 'params', '--set', 'see')).toEqual(['seed='])
    expect(offered('sweep', 'params', '--set', 'dataset', '=', 'mn')).toEqual(['mnist-10k', 'mnist'])
    expect(offered('sweep', 'params', '--set', 'dataset', '=')).toContain('mnist')
    expect(offered('sweep', 'block.yaml', '--set', '')).toEqual(['width=', 'batch='])
    expect(offered('sweep', 'flow.yaml', '--set', '')).toEqual(['width=', 'batch='])
    expect(offered('sweep', 'params', '--set', 'width', '=', '8', '--prof')).toEqual(['--profile'])
  })

  it.each(['zsh', 'fish'])('is there for %s, with every command', async (shell) => {
    const cwd = temporaryFolder()
    const { code, stdout } = await mlds(['completion', shell], { cwd })
    expect(code).toBe(0)
    for (const command of ['sweep', 'verify', 'worker', 'completion']) expect(stdout).toContain(command)
  })

  it('is refused for a shell it does not know', async () => {
    const { code, stderr } = await mlds(['completion', 'tcsh'], { cwd: temporaryFolder() })
    expect(code).toBe(2)
    expect(stderr).toMatch(/bash, zsh, fish/)
  })
})

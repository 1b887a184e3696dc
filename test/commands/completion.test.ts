import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
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

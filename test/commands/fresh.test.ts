import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'

/** Writes down each run; waits while there is a file `gate`; its loss is how often it ran so far, times x. */
const program = `echo "$1" >> ran.log; while [ -e gate ] && [ "$1" -gt 2 ]; do sleep 0.05; done
echo "{\\"step\\":1,\\"loss\\":$1}"; echo "{\\"loss\\":$(( $(grep -cx "$1" ran.log) * $1 ))}"
`
function folder(): { cwd: string; ran: () => string[] } {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'run.sh'), program)
  writeFileSync(join(cwd, 'my.yaml'), "experiment: { command: ['sh', 'run.sh', '{x}'] }\naxes: { x: 1..6 }\n")
  return { cwd, ran: () => linesOf(join(cwd, 'ran.log')).sort() }
}
const sweep = ['sweep', 'my.yaml', '--name', 'mine', '--workers', '1']
const each = (...times: number[]): string[] => times.flatMap((count, i) => Array<string>(count).fill(String(i + 1)))

describe('--fresh', () => {
  it('runs every trial again each time, counts from there, and shows earlier attempts where they are asked for', async () => {
    const { cwd, ran } = folder()
    await mlds(sweep, { cwd })
    for (const times of [2, 3]) {
      const again = await mlds([...sweep, '--fresh'], { cwd })
      expect(again).toMatchObject({ code: 0 })
      expect(again.stdout).toContain('Earlier results of mine are void: every trial runs again.')
      expect(again.stdout).toContain('mine: 6 trials, 0 already finished')
      expect(ran()).toEqual(each(times, times, times, times, times, times))
    }
    const [verified, exported] = [await mlds(['verify', 'mine'], { cwd }), await mlds(['export', 'mine'], { cwd })]
    expect(verified.stdout).toContain('planned 6, finished 6, unique 6: complete')
    expect(exported.stdout).toMatch(/,2,.*,6\r?$/m)
    const trial = /^([0-9a-f]{16}),0,/m.exec(exported.stdout)![1]!
    const shown = JSON.parse((await mlds(['show', trial, '--all-attempts', '--json'], { cwd })).stdout) as object
    expect(shown).toMatchObject({
      attempts: 3,
      series: { loss: { steps: [1] } },
      allAttempts: [
        { attempt: 1, ended: 'finished', isVoid: true, metrics: { loss: 1 } },
        { attempt: 2, ended: 'finished', isVoid: true, metrics: { loss: 2 } },
        { attempt: 3, ended: 'finished', isVoid: false, metrics: { loss: 3 } },
      ],
    })
  })

  it('is told, where the plan is another, what --extend would do with it', async () => {
    const { cwd, ran } = folder()
    const grown = [...sweep, '--set', 'x=1..7']
    const [, refused, fresh, done] = await inOneProcess(
      [sweep, grown, [...grown, '--fresh'], [...grown, '--fresh', '--extend']],
      cwd,
    )
    expect(refused).toMatchObject({ code: 2 })
    expect(refused!.stderr).toContain('exists with another plan: 1 trial would be new, 0 would be gone (x: +7)\n')
    expect(refused!.stderr).toContain('add --extend to run only what is new (what is done stays), or')
    expect(fresh).toMatchObject({ code: 2 })
    expect(fresh!.stderr).toContain('add --extend to run every trial of both plans again (with --fresh nothing of')
    expect(fresh!.stderr).not.toContain('stays')
    expect(done!.stdout).toContain('mine: 7 trials, 0 already finished')
    expect(ran()).toEqual(each(2, 2, 2, 2, 2, 2, 1))
  })

  it('with --extend runs every trial of the larger plan, and nothing of before counts', async () => {
    const { cwd, ran } = folder()
    const [, grown, verified, exported] = await inOneProcess(
      [sweep, [...sweep, '--set', 'x=1..7', '--extend', '--fresh'], ['verify', 'mine'], ['export', 'mine']],
      cwd,
    )
    expect(grown!).toMatchObject({ code: 0 })
    expect(grown!.stdout).toContain('mine: 7 trials, 0 already finished')
    expect(ran()).toEqual(each(2, 2, 2, 2, 2, 2, 1))
    expect(verified!.stdout).toContain('planned 7, finished 7, unique 7: complete')
    expect(exported!.stdout).toMatch(/,12\r?\n.*,7\r?\n$/)
  })

  it('has stopping rules judge from the void on, also when it is killed and resumed: as if nothing had run before', async () => {
    const { cwd } = folder()
    // Tiny losses in the first round, by which the rule would stop nearly all of the second.
    const program = `[ -e again ] && by=1 || by=-9; while [ -e gate ] && [ "$1" = 5 ]; do sleep 0.05; done
for step in 1 2 3; do echo "{\\"step\\":$step,\\"loss\\":$1.$((4 - step))e$by}"; done`
    writeFileSync(join(cwd, 'run.sh'), program)
    const rule = ['--scheduler', 'median:graceSteps=1', '--set', 'x=1..8']
    await mlds([...sweep, ...rule], { cwd })
    for (const file of ['again', 'gate']) writeFileSync(join(cwd, file), '')
    const running = startMlds([...sweep, ...rule, '--fresh'], { cwd })
    await until(() => running.output().includes('4/8'))
    running.child.kill('SIGKILL')
    await running.finished
    unlinkSync(join(cwd, 'gate'))
    const undisturbed = ['sweep', 'my.yaml', '--workers', '1', '--name', 'undisturbed', '--store', 'elsewhere', ...rule]
    const [resumed, , exported, wanted] = await inOneProcess(
      [
        ['resume', 'mine', '--workers', '1'],
        undisturbed,
        ['export', 'mine'],
        ['export', 'undisturbed', '--store', 'elsewhere'],
      ],
      cwd,
    )
    expect(resumed!.code).toBe(0)
    expect(exported!.stdout).toBe(wanted!.stdout)
    expect(wanted!.stdout).toMatch(/,finished,[^]*,stopped,/)
  })

  it('leaves exactly what is missing to a resume after a kill -9 in the middle, and lends nothing that is void', async () => {
    const { cwd, ran } = folder()
    await mlds(sweep, { cwd })
    // A sweep that took all over lends none of it either: its source speaks for itself.
    await mlds(['sweep', 'my.yaml', '--name', 'borrower'], { cwd })
    expect(ran()).toEqual(each(1, 1, 1, 1, 1, 1))
    writeFileSync(join(cwd, 'gate'), '')
    const running = startMlds([...sweep, '--fresh'], { cwd })
    await until(() => running.output().includes('2/6'))
    running.child.kill('SIGKILL')
    await running.finished
    const journal = readFileSync(join(cwd, '.mlds/sweeps/mine/journal.jsonl'), 'utf8')
    expect(journal.slice(journal.indexOf('"voided"')).match(/"type":"started"/g)!.length).toBeGreaterThanOrEqual(2)
    const standing = await mlds(['verify', 'mine'], { cwd })
    expect(standing.stdout).toContain('planned 6, finished 2, unique 2: not complete')
    expect((await mlds(['best', 'mine', '--json'], { cwd })).stdout.match(/"mean"/g)).toHaveLength(2)

    unlinkSync(join(cwd, 'gate'))
    const before = ran().length
    const resumed = await mlds(['resume', 'mine', '--workers', '1'], { cwd })
    expect(resumed).toMatchObject({ code: 0 })
    expect(resumed.stdout).not.toContain('taken over')
    expect(ran()).toHaveLength(before + 4)
    expect((await mlds(['verify', 'mine'], { cwd })).stdout).toContain('planned 6, finished 6, unique 6: complete')
    const other = await mlds(['sweep', 'my.yaml', '--set', 'x=1,2', '--name', 'other'], { cwd })
    expect(other.stdout).toContain('2 of 2 trials have results already, in mine: taken over')
    expect((await mlds(['export', 'other'], { cwd })).stdout).toMatch(/,2\r?\n.*,4\r?\n$/)
  })

  it('of a new sweep takes nothing over when it is resumed after a kill -9 either', async () => {
    const { cwd, ran } = folder()
    await mlds(sweep, { cwd })
    writeFileSync(join(cwd, 'gate'), '')
    const running = startMlds(['sweep', 'my.yaml', '--name', 'second', '--workers', '1', '--fresh'], { cwd })
    await until(() => running.output().includes('2/6'))
    running.child.kill('SIGKILL')
    await running.finished
    expect(running.output()).not.toContain('are void')
    unlinkSync(join(cwd, 'gate'))
    const before = ran().length
    const resumed = await mlds(['resume', 'second', '--workers', '1'], { cwd })
    expect(resumed).toMatchObject({ code: 0 })
    expect(resumed.stdout).not.toContain('taken over')
    expect(ran()).toHaveLength(before + 4)
  })
})

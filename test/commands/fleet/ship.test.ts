import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, mlds, temporaryFolder } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasSshHosts, shelve, untilAnswering, withSshLab } from '../../helpers/ssh-hosts.js'

describe.skipIf(!hasSshHosts || !hasNats)('a sweep that brings its workers and its code along', () => {
  it('is one line, and so is its resume: what was edited runs on the hosts, in folders of their own, and nothing is left', async () => {
    const lab = withSshLab({ name: 'lab1' }, { name: 'lab2' })
    const server = await withNats('', { host: '0.0.0.0' })
    await untilAnswering(lab, 'lab1', 'lab2')
    const env = { ...lab.env, NATS_URL: `nats://${lab.here}:${new URL(server.url).port}` }
    const trace = join(temporaryFolder(), 'trace')
    const write = (exitCode: number): void =>
      writeFileSync(
        join(lab.cwd, 'train.sh'),
        `echo "$(pwd) $0" >>${trace}\ncat word\necho "{\\"loss\\": $1}"\n[ $1 = 1 ] || exit ${exitCode}\n`,
      )
    write(1)
    writeFileSync(join(lab.cwd, 'word'), 'beside\n')
    writeFileSync(join(lab.cwd, 'train.yaml'), 'experiment: { command: "sh train.sh {x}" }\naxes: { x: [1, 2, 3] }\n')
    const run = (...words: string[]) => {
      for (const name of ['lab1', 'lab2']) shelve(lab.host(name))
      return mlds(words, { cwd: lab.cwd, env })
    }
    const here = ['--fleet', 'ssh:lab1,lab2', '--worker-arg=--slots', '--worker-arg=1']
    const swept = await run(
      'sweep',
      'train.yaml',
      '--name',
      'one',
      ...here,
      '--ship',
      '--retries',
      '0',
      '--lease',
      '7s',
    )
    expect(swept).toMatchObject({ code: 1, stderr: expect.stringContaining('2 of 2 workers joined') as string })
    expect(swept.stdout).toContain('1 of 3 trials finished')
    // Its fleet comes before it, and makes the queue as it wants it.
    expect(swept.stderr).not.toContain('has a lease of')
    const homes = ['lab1', 'lab2'].map((name) => lab.host(name).home)
    const expectThere = (count: number): void => {
      const places = linesOf(trace)
      expect(places).toHaveLength(count)
      // Under none of the names that they have here.
      for (const place of places) {
        expect(homes.some((home) => place.startsWith(join(home, '.cache', 'mlds', 'fleet')))).toBe(true)
        expect(place).toContain('worker-code')
      }
      for (const home of homes) expect(readdirSync(home)).toEqual([])
      expect(readdirSync(join(lab.env['XDG_STATE_HOME']!, 'mlds', 'fleets'))).toEqual([])
    }
    expectThere(3)
    const again = await run('resume', 'one', ...here, '--retries', '0')
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('2 of 2 workers joined') as string })
    expectThere(5)

    write(0)
    const other = ['--worker-arg=--lease=9s']
    const edited = await run('sweep', 'train.yaml', '--name', 'two', ...here, ...other, '--ship')
    expect(edited.stderr).toContain('has a lease of 7s, and keeps it')
    expect(edited).toMatchObject({ code: 0, stderr: expect.stringContaining('2 of 2 workers joined') as string })
    expect(edited.stdout).toContain('3 of 3 trials finished')
    expect(readFileSync(trace, 'utf8')).not.toContain(`${lab.cwd} `)
    const nothing = await run('resume', 'two', ...here)
    expect(nothing).toMatchObject({ code: 0, stderr: expect.not.stringContaining('joined') as string })
  })
})

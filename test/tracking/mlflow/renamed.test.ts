import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds, temporaryFolder } from '../../helpers/cli.js'
import { hasMlflow, readWithPython, startMlflow } from '../../helpers/mlflow.js'

describe.skipIf(!hasMlflow)('a sweep that is renamed after MLflow had it', () => {
  it('goes on in the same runs: sync makes none, audit finds none strange, figures and more trials find it by either name', async () => {
    const server = await startMlflow()
    onTestFinished(() => server.close())
    const cwd = temporaryFolder()
    const run = async (...args: string[]) => {
      const ran = await mlds(args, { cwd })
      expect([args.join(' '), ran.code, ran.stderr]).toEqual([args.join(' '), 0, ran.stderr])
      return ran
    }
    const write = (values: string): void =>
      writeFileSync(
        join(cwd, 'cv.yaml'),
        `experiment: { command: 'echo loss={lr}.{fold}' }\naxes: { lr: ${values}, fold: 0..1 }\naverage: fold\n`,
      )
    write('[1, 2]')
    await run('sweep', 'cv.yaml', '--name', 'before', '--track', server.url)
    const tracked = readWithPython(server.url, 'before')
    const idsOf = (runs: typeof tracked): string[] => runs.map(({ tags }) => tags['mlds.run_key']!).sort()
    // The sweep's own run, and one of each trial.
    expect(tracked).toHaveLength(1 + 4)
    // Folds of one setting are one group.
    expect(new Set(tracked.flatMap(({ tags }) => tags['mlds.group'] ?? [])).size).toBe(2)

    const renamed = await run('rename', 'before', 'after')
    expect(renamed.stderr + renamed.stdout).toContain('In MLflow it goes on as before')
    await run('sync', 'after', '--track', server.url)
    await run('sync', 'after', '--track', server.url, '--deep')
    expect(idsOf(readWithPython(server.url, 'before'))).toEqual(idsOf(tracked))
    expect(readWithPython(server.url, 'after')).toEqual([])

    const audit = await run('audit', server.url, '--deep', '--json')
    expect(JSON.parse(audit.stdout)).toMatchObject({ sweeps: [{ sweep: 'before' }] })

    const byFirst = await run('figure', 'before', '--from', server.url, '--json', '-o', 'first')
    const byNew = await run('figure', 'after', '--from', server.url, '--json', '-o', 'new')
    const drawn = (stdout: string): string[] =>
      (JSON.parse(stdout) as { figures: string[] }).figures.map((file) => file.replace(/^.*\//, ''))
    expect(drawn(byNew.stdout)).toEqual(drawn(byFirst.stdout))
    expect(drawn(byNew.stdout).length).toBeGreaterThan(0)
    await run('report', 'after', '--from', server.url, '-o', 'report.html')

    write('[1, 2, 3]')
    await run('sweep', 'cv.yaml', '--name', 'after', '--extend', '--track', server.url)
    expect(readWithPython(server.url, 'before')).toHaveLength(1 + 6)
    await run('audit', server.url, '--deep')
  })
})

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/** A folder with two sweep files of a program that prints its axis as its loss. */
function folder(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'q.sh'), 'echo "{\\"loss\\": $1}"')
  for (const [name, x] of [
    ['first', 1],
    ['second', 2],
  ] as const)
    writeFileSync(
      join(cwd, `${name}.yaml`),
      `experiment: {command: 'sh ./q.sh {x}'}\naxes: {x: [${x}]}\nobjective: {metric: loss, direction: minimize}\n`,
    )
  return cwd
}

describe('the latest sweep', () => {
  it('is what every command that reads a sweep takes unless one is named, and each says which it is', async () => {
    const cwd = folder()
    for (const name of ['first', 'second'])
      expect(await mlds(['sweep', `${name}.yaml`, '--name', name], { cwd })).toMatchObject({ code: 0 })
    for (const command of ['best', 'status', 'watch', 'verify', 'export', 'figure', 'report', 'resume']) {
      const { code, stderr } = await mlds([command], { cwd })
      expect({ command, code, stderr }).toEqual({ command, code: 0, stderr: 'latest: second\n' })
    }
    const { stdout, stderr } = await mlds(['verify', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject({ sweep: 'second' })
    expect(stderr).toBe('')
    expect(await mlds(['verify', 'first'], { cwd })).toMatchObject({ code: 0, stderr: '' })
    for (const command of ['cancel', 'pause']) expect(await mlds([command], { cwd })).toMatchObject({ code: 2 })
  })

  it('is the newest even where a sweep bears that name from before, which its folder names', async () => {
    const cwd = folder()
    expect(await mlds(['sweep', 'first.yaml', '--name', 'old'], { cwd })).toMatchObject({ code: 0 })
    const sweeps = join(cwd, '.mlds', 'sweeps')
    mkdirSync(sweeps, { recursive: true })
    renameSync(join(sweeps, 'old'), join(sweeps, 'latest'))
    const plan = join(sweeps, 'latest', 'plan.json')
    writeFileSync(plan, readFileSync(plan, 'utf8').replaceAll('"old"', '"latest"'))
    expect(await mlds(['sweep', 'second.yaml', '--name', 'new'], { cwd })).toMatchObject({ code: 0 })
    const newest = await mlds(['verify', '--json'], { cwd })
    expect(JSON.parse(newest.stdout)).toMatchObject({ sweep: 'new' })
    expect((await mlds(['best'], { cwd })).stderr).toBe('latest: new (the sweep that is named latest: sweeps/latest)\n')
    const older = await mlds(['verify', 'sweeps/latest', '--json'], { cwd })
    expect(JSON.parse(older.stdout)).toMatchObject({ sweep: 'latest' })
  })
})

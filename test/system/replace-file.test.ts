import { execFileSync } from 'node:child_process'
import { lstatSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeOutput } from '../../src/system/replace-file.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

describe('a file that a person names for output', () => {
  it('is replaced whole, and a link to it stays one', async () => {
    const folder = temporaryFolder()
    const [file, link] = [join(folder, 'table.csv'), join(folder, 'link.csv')]
    writeFileSync(file, 'before')
    symlinkSync(file, link)
    await writeOutput(link, 'after')
    expect(readFileSync(file, 'utf8')).toBe('after')
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readdirSync(folder).sort()).toEqual(['link.csv', 'table.csv'])
  })

  it.skipIf(process.platform === 'win32')('may be a pipe or a device: nothing takes its place', async () => {
    const folder = temporaryFolder()
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const read = Promise.resolve().then(() => import('node:fs/promises').then((fs) => fs.readFile(pipe, 'utf8')))
    await writeOutput(pipe, 'through the pipe')
    expect(await read).toBe('through the pipe')
    expect(statSync(pipe).isFIFO()).toBe(true)
    expect(readdirSync(folder)).toEqual(['pipe'])
  })
})

describe('a store whose sweeps are all damaged', () => {
  it('is no empty store to mlds list: each is named, and the exit code is 3', async () => {
    const cwd = temporaryFolder()
    const store = join(cwd, 'store')
    await mlds(['sweep', 'shuffle', '--profile', 'smoke', '--name', 'torn', '--store', store], { cwd })
    writeFileSync(join(store, 'sweeps', 'torn', 'plan.json'), '{')
    const { code, stdout, stderr } = await mlds(['list', '--store', store], { cwd })
    expect(code).toBe(3)
    expect(stderr).toContain('torn')
    expect(stderr).toContain('none of the sweeps of this store can be read: 1 of 1 are damaged')
    expect(stdout).not.toContain('No sweeps yet')
  })
})

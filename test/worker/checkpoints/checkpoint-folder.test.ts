import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CheckpointFolder } from '../../../src/worker/checkpoints/checkpoint-folder.js'
import { temporaryFolder } from '../../helpers/cli.js'

const facts = { attempt: 1, reports: [], saved: [] }

describe('a checkpoint of a program', () => {
  it('has all files of its folder, those within folders too', async () => {
    const [from, kept] = [temporaryFolder(), new CheckpointFolder(temporaryFolder())]
    mkdirSync(join(from, '12', 'part', 'empty'), { recursive: true })
    writeFileSync(join(from, '12', 'weights'), 'w')
    writeFileSync(join(from, '12', 'part', 'state'), 'state')
    await kept.keep({ path: join(from, '12') }, facts)
    const files = (await kept.find())!.files.map(({ path, sizeBytes }) => [path, sizeBytes])
    expect(files).toEqual([
      ['12/part/state', 5],
      ['12/weights', 1],
    ])
  })

  const odd: [what: string, put: (folder: string) => void, problem: RegExp][] = [
    [
      'a link to a file of its own',
      (at) => symlinkSync('weights', join(at, 'latest')),
      /latest \(a copy would be kept/,
    ],
    ['a link to a file elsewhere', (at) => symlinkSync('/etc/hostname', join(at, 'host')), /host \(a copy/],
    ['a link to a folder', (at) => symlinkSync('/etc', join(at, 'etc')), /etc \(a copy/],
    ['a link to nothing', (at) => symlinkSync('nothing', join(at, 'part', 'none')), /part\/none \(a copy/],
    ['a pipe', (at) => void execFileSync('mkfifo', [join(at, 'pipe')]), /pipe \(a copy/],
  ]
  it.each(odd)('with %s is not kept, and the one before stays', async (_, put, problem) => {
    const [from, folder] = [temporaryFolder(), temporaryFolder()]
    const kept = new CheckpointFolder(folder)
    writeFileSync(join(from, '11'), 'before')
    await kept.keep({ path: join(from, '11') }, facts)
    mkdirSync(join(from, '12', 'part'), { recursive: true })
    writeFileSync(join(from, '12', 'weights'), 'w')
    put(join(from, '12'))
    await expect(kept.keep({ path: join(from, '12') }, facts)).rejects.toThrow(problem)
    expect((await kept.find())?.files.map(({ path }) => path)).toEqual(['11'])
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it('that is a folder without a file, or a link, is not kept', async () => {
    const [from, kept] = [temporaryFolder(), new CheckpointFolder(temporaryFolder())]
    mkdirSync(join(from, '12', 'part'), { recursive: true })
    symlinkSync('12', join(from, '13'))
    await expect(kept.keep({ path: join(from, '12') }, facts)).rejects.toThrow('is a folder without a file')
    await expect(kept.keep({ path: join(from, '13') }, facts)).rejects.toThrow('is no file and no folder')
    expect(await kept.find()).toBeUndefined()
  })
})

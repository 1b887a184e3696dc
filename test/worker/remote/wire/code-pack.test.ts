import { describe, expect, it } from 'vitest'
import { readPack, sha256Of, writePack, type PackedExperiment } from '../../../../src/worker/remote/wire/code-pack.js'

const program: PackedExperiment = {
  kind: 'program',
  root: '/home/me',
  command: { argv: ['sh', 'a.sh'], cwd: '/home/me', env: {} },
}
const bytes = Buffer.from('echo 1\n')
const listed = (path: string, change: object = {}): object => ({
  ...{ path, sizeBytes: bytes.length, sha256: sha256Of(bytes) },
  ...change,
})
/** A pack as a hostile hand would make it. */
const forged = (files: readonly object[], contents: readonly Uint8Array[], change: object = {}): Uint8Array =>
  Buffer.concat([Buffer.from(`${JSON.stringify({ format: 1, experiment: program, files, ...change })}\n`), ...contents])

describe('the files of an experiment as one object', () => {
  it('come out as they went in, with their right to be run', () => {
    const files = [
      { path: 'a.sh', bytes, executable: true },
      { path: 'deep/er/b', bytes: new Uint8Array(), executable: false },
    ]
    const { list, contents } = readPack(writePack(program, files))
    expect(list.experiment).toEqual(program)
    expect(list.files.map(({ path, executable = false }) => ({ path, executable }))).toEqual(
      files.map(({ path, executable }) => ({ path, executable })),
    )
    expect(contents.map((content) => Buffer.from(content).toString())).toEqual(['echo 1\n', ''])
  })

  it.each([
    ...['../x', 'a/../../x', '/etc/x', '', '.', 'a//b', 'a/./b', 'a/', 'a\\b', 'a\0b', 'a\nb', 'x'.repeat(256)].map(
      (path): [string, Uint8Array, string] => [
        `the path ${JSON.stringify(path.slice(0, 20))}`,
        forged([listed(path)], [bytes]),
        'can’t be read',
      ],
    ),
    ['a link', forged([listed('a', { link: '/etc/passwd' })], [bytes]), 'can’t be read'],
    ['another mode', forged([listed('a', { mode: 0o4755 })], [bytes]), 'can’t be read'],
    ['a file twice', forged([listed('a'), listed('a')], [bytes, bytes]), 'there twice: a'],
    [
      'a file twice on disks that know no capitals',
      forged([listed('a'), listed('A')], [bytes, bytes]),
      'there twice: A',
    ],
    ['a file that is a folder', forged([listed('a'), listed('a/b')], [bytes, bytes]), 'a folder too: a'],
    ['more bytes than it says', forged([listed('a')], [bytes, bytes]), 'more bytes than its list says: 7'],
    ['fewer bytes than it says', forged([listed('a'), listed('b')], [bytes]), 'fewer bytes than its list says: b'],
    ['other bytes than it says', forged([listed('a')], [Buffer.from('echo 2\n')]), 'was altered: a'],
    ['a size below 0', forged([listed('a', { sizeBytes: -1 })], []), 'can’t be read'],
    [
      '10,001 files',
      forged(
        Array.from({ length: 10_001 }, (_, i) => listed(`${i}`, { sizeBytes: 0, sha256: sha256Of(new Uint8Array()) })),
        [],
      ),
      'can’t be read',
    ],
    ['a list without an end', Buffer.alloc(5 << 20, 32), 'can’t be read'],
    ['nothing', Buffer.alloc(0), 'can’t be read'],
    ['a later format', forged([listed('a')], [bytes], { format: 2 }), 'can’t be read'],
    [
      'a module that is not in it',
      forged([listed('a')], [bytes], { experiment: { kind: 'module', file: 'b.ts' } }),
      'lacks its experiment: b.ts',
    ],
    [
      'a module elsewhere',
      forged([listed('a')], [bytes], { experiment: { kind: 'module', file: '../b.ts' } }),
      'can’t be read',
    ],
    ['more bytes than any may have', Buffer.alloc(2 ** 28 + 2 ** 22 + 1), 'at most'],
  ] as [string, Uint8Array, string][])('are refused with %s', (_, pack, why) => {
    expect(() => readPack(pack)).toThrow(why)
  })
})

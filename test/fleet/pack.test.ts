import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { packMlds } from '../../src/fleet/pack.js'
import { tarOf } from '../../src/fleet/tar.js'
import { temporaryFolder } from '../helpers/cli.js'

function write(root: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}

const other = process.platform === 'linux' ? 'darwin' : 'linux'
const natives = (folder: string): Record<string, string> => ({
  [`${folder}/package.json`]: '{}',
  [`${folder}/bin/napi-v6/${process.platform}/${process.arch}/a.node`]: 'ours',
  [`${folder}/bin/napi-v6/${process.platform}/another/a.node`]: 'not ours',
  [`${folder}/bin/napi-v6/${other}/${process.arch}/a.node`]: 'not ours',
})

describe('what is copied to a host', () => {
  it('is what mlds needs to run on this platform, and nothing of its development', async () => {
    const root = temporaryFolder()
    write(root, {
      'package.json':
        '{"dependencies": {"a": "1"}, "optionalDependencies": {"absent": "1"}, "devDependencies": {"d": "1"}}',
      'bin/run.js': 'run',
      'dist/x.js': 'x',
      'dist/x.js.map': 'map',
      'dist/x.d.ts': 'types',
      'test/x.test.ts': 'test',
      'node_modules/a/package.json': '{"dependencies": {"b": "1", "@s/n": "1"}}',
      'node_modules/a/node_modules/b/package.json': '{}',
      'node_modules/b/package.json': '{"version": "of another"}',
      'node_modules/d/package.json': '{}',
      ...natives('node_modules/@s/n'),
    })
    const pack = packMlds(false, root)
    expect(pack.files.map(({ path }) => path)).toEqual([
      'bin/run.js',
      'dist/x.js',
      `node_modules/@s/n/bin/napi-v6/${process.platform}/${process.arch}/a.node`,
      'node_modules/@s/n/package.json',
      'node_modules/a/node_modules/b/package.json',
      'node_modules/a/package.json',
      'package.json',
    ])
    expect(pack).toMatchObject({ run: 'bin/run.js', node: undefined })
    expect(packMlds(false, root).digest).toBe(pack.digest)
    writeFileSync(join(root, 'dist', 'x.js'), 'y')
    expect(packMlds(false, root).digest).not.toBe(pack.digest)

    const withNode = packMlds(true, root)
    const file = join(temporaryFolder(), 'pack.tar')
    await pipeline(tarOf(withNode.files), createWriteStream(file))
    const there = temporaryFolder()
    execFileSync('tar', ['-xf', file, '-C', there])
    expect(readFileSync(join(there, 'dist', 'x.js'), 'utf8')).toBe('y')
    expect(execFileSync(join(there, withNode.node!), ['--version'], { encoding: 'utf8' }).trim()).toBe(process.version)
  })

  it('is found where packages lie beside mlds, as a global installation has them', () => {
    const base = temporaryFolder()
    write(base, {
      'node_modules/mlds/package.json': '{"dependencies": {"a": "1"}}',
      'node_modules/mlds/bin/run.js': 'run',
      'node_modules/a/package.json': '{}',
      'node_modules/strange/package.json': '{}',
    })
    const { run, files } = packMlds(false, join(base, 'node_modules', 'mlds'))
    expect(run).toBe('mlds/bin/run.js')
    expect(files.map(({ path }) => path)).toEqual(['a/package.json', 'mlds/bin/run.js', 'mlds/package.json'])
  })

  it('is refused where a package is missing', () => {
    const root = temporaryFolder()
    write(root, { 'package.json': '{"dependencies": {"gone": "1"}}' })
    expect(() => packMlds(false, root)).toThrow('gone is not beside it')
  })
})

describe('an archive', () => {
  it('is read by tar with every name, size and mode, whatever their lengths', async () => {
    const folder = temporaryFolder()
    const deep = `${'d'.repeat(90)}/${'e'.repeat(60)}/${'f'.repeat(99)}`
    const files = [
      { path: 'empty', content: Buffer.alloc(0) },
      { path: deep, content: Buffer.alloc(512, 'x') },
      { path: 'run', executable: true, content: Buffer.alloc(513, 'y') },
    ]
    const file = join(folder, 'a.tar')
    await pipeline(tarOf(files), createWriteStream(file))
    const there = temporaryFolder()
    execFileSync('tar', ['-xpf', file, '-C', there])
    for (const { path, content } of files) expect(readFileSync(join(there, path))).toEqual(content)
    expect([statSync(join(there, 'run')).mode & 0o777, statSync(join(there, 'empty')).mode & 0o777]).toEqual([
      0o700, 0o600,
    ])
    expect(readdirSync(there)).toHaveLength(3)
    await expect(
      pipeline(tarOf([{ path: 'g'.repeat(101), content: Buffer.alloc(0) }]), createWriteStream(file)),
    ).rejects.toThrow('too long a path')
  })
})

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './helpers/cli.js'
import { requireService } from './helpers/services.js'

const repository = join(import.meta.dirname, '..')
const env = { ...process.env, NO_COLOR: '1' }

async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const ended = promisify(execFile)(program, args, { cwd, env, maxBuffer: 1 << 26 })
  // The compiler says on its standard output what is wrong.
  const { stdout } = await ended.catch((error: Error & { stdout?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ''}`, { cause: error })
  })
  return stdout
}

const registry = await run(repository, 'npm', 'view', 'picocolors@1.1.1', 'version', '--prefer-offline').then(
  () => true,
  () => false,
)
const hasRegistry = requireService('an npm registry', registry, 'npm must be able to install packages.')

const consumer = `import { defineExperiment, number, openSweep, runSweep } from 'mlds'

const bowl = defineExperiment({
  name: 'bowl',
  space: { x: number({ default: 0 }) },
  run: ({ x }) => ({ loss: (x - 3) ** 2 }),
})
const { summary } = await runSweep({ experiment: bowl, axes: { x: '0..5' } })
const best: number | undefined = (await (await openSweep('latest')).best())[0]?.mean
console.log(summary.finished, best)
`

describe('a clone', () => {
  it("ends ONNX Runtime's install script before it looks for GPU parts to download, with nvcc on the PATH", async () => {
    const folder = temporaryFolder()
    const looked = join(folder, 'looked-up')
    writeFileSync(
      join(folder, 'spy.cjs'),
      `const dns = require('node:dns')
dns.lookup = (name, ...rest) => {
  require('node:fs').appendFileSync(${JSON.stringify(looked)}, name)
  rest.at(-1)(new Error('there is no network here'))
}`,
    )
    writeFileSync(join(folder, 'nvcc'), '#!/bin/sh\necho "Cuda compilation tools, release 12.4, V12.4.131"\n', {
      mode: 0o755,
    })
    const runtime = join(repository, 'node_modules', 'onnxruntime-node')
    const asNpm10Does = {
      PATH: `${folder}:${process.env['PATH']}`,
      npm_config_local_prefix: repository,
      npm_package_json: join(runtime, 'package.json'),
    }
    const script = ['--require', join(folder, 'spy.cjs'), join(runtime, 'script', 'install')]
    await promisify(execFile)(process.execPath, script, { cwd: runtime, env: asNpm10Does })
    expect(existsSync(looked)).toBe(false)
  })

  it('says nothing of npm before what a command prints', async () => {
    const { stdout, stderr } = await promisify(execFile)('npx', ['mlds', '--version'], { cwd: repository, env })
    expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^mlds\/\d/) as string, stderr: '' })
  })
})

describe.skipIf(!hasRegistry)('the package', () => {
  it(
    "installs from its tarball into an empty folder, runs the README's command, and serves a typed program",
    { timeout: 480_000 },
    async () => {
      const folder = temporaryFolder()
      // Other tests run what is built: it is packed as it is, not built anew.
      await run(repository, 'npm', 'pack', '--ignore-scripts', '--pack-destination', folder)
      const [tarball] = readdirSync(folder)
      writeFileSync(join(folder, 'package.json'), '{"private": true, "type": "module"}')
      // As the documentation says, by the npm that comes with Node 20: it runs the install scripts of packages unasked.
      const documented = readFileSync(join(repository, 'docs', 'library.md'), 'utf8')
      expect(documented).toContain('`npm install --ignore-scripts ../mlds/mlds-0.1.0.tgz`')
      const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`]
      await run(folder, 'npx', '--yes', 'npm@10', ...install)
      const runtime = join(folder, 'node_modules', 'onnxruntime-node')
      expect(readdirSync(runtime, { recursive: true }).filter((name) => /cuda|tensorrt/.test(String(name)))).toEqual([])
      // Nothing of the development is in it.
      expect(readdirSync(join(folder, 'node_modules', 'mlds')).sort()).toEqual(
        [
          'CHANGELOG.md',
          'LICENSE',
          'README.md',
          'bin',
          'dist',
          'docs',
          'oclif.manifest.json',
          'package.json',
          'python',
        ].sort(),
      )

      const readme = readFileSync(join(repository, 'README.md'), 'utf8')
      const [, command] = /^npm ci && npx mlds (sweep params [^#\n]*?)\s*#/m.exec(readme)!
      const told = await run(folder, 'npx', 'mlds', ...command!.split(' '), '--profile', 'smoke')
      expect(told).toMatch(/(\d+) of \1 trials? finished/)
      expect(told).toMatch(/figures\/loss-against-parameters\S*\.png/)

      writeFileSync(join(folder, 'use.ts'), consumer)
      const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
      const strict = ['--strict', '--module', 'nodenext', '--target', 'es2022']
      await run(folder, process.execPath, tsc, ...strict, 'use.ts')
      expect(existsSync(join(folder, 'use.js'))).toBe(true)
      expect(await run(folder, process.execPath, 'use.js')).toBe('6 0\n')
    },
  )
})

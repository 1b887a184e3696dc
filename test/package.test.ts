import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './helpers/cli.js'
import { requireService } from './helpers/services.js'

const repository = join(import.meta.dirname, '..')
// onnxruntime-node's install script would fetch CUDA parts where it finds nvcc; mlds has no use for them.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', NO_COLOR: '1' }

async function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { cwd, env, maxBuffer: 1 << 26 })
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
      await run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`)
      // Nothing of the development is in it.
      expect(readdirSync(join(folder, 'node_modules', 'mlds')).sort()).toEqual(
        ['CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'dist', 'oclif.manifest.json', 'package.json'].sort(),
      )

      const readme = readFileSync(join(repository, 'README.md'), 'utf8')
      const [, command] = /^npm ci && npx mlds (sweep params [^#\n]*?)\s*#/m.exec(readme)!
      const told = await run(folder, 'npx', 'mlds', ...command!.split(' '), '--profile', 'smoke')
      expect(told).toMatch(/(\d+) of \1 trials finished/)
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

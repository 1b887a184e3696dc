import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from './helpers/cli.js'
import { hasNamespaces } from './helpers/network.js'

const repository = join(import.meta.dirname, '..')
const library = pathToFileURL(join(repository, 'dist', 'index.js')).href

/** Trains one step, then keeps the process alive until the file RELEASE is there. */
const step = `
async function step(engine, { defineNet, initialize }) {
  const net = defineNet([2], [{ kind: 'dense', units: 2 }])
  const training = await engine.train({
    net, loss: 'softmax-cross-entropy', optimizer: { kind: 'sgd', learningRate: 1 }, batch: 2,
    rows: { features: Float32Array.of(1, 0, 0, 1), targets: Int32Array.of(0, 1) }, parameters: initialize(net, 0),
  })
  const { loss } = await training.run(Int32Array.of(0, 1))
  while (process.env.RELEASE !== undefined && !existsSync(process.env.RELEASE))
    await new Promise((resolve) => setTimeout(resolve, 50))
  return { loss }
}
`
const heldExperiment = `import { existsSync } from 'node:fs'
import * as mlds from '${library}'
${step}
export default mlds.defineExperiment({ name: 'held', space: {}, run: (_, { engine }) => step(engine, mlds) })
`
const program = `import { existsSync } from 'node:fs'
import * as mlds from '${library}'
${step}
const { loss } = await step(await mlds.createEngine('compiled'), mlds)
console.log('trained', loss > 0)
`
/** A host application that keeps mlds to a thread of its own, whose environment is not even a copy of the process's. */
const threadHost = `import { Worker } from 'node:worker_threads'
const { RELEASE } = process.env
new Worker(new URL('program.mjs', import.meta.url), { env: RELEASE === undefined ? {} : { RELEASE } })
`

function programs(): { cwd: string; home: string } {
  const cwd = temporaryFolder()
  const home = join(cwd, 'home')
  mkdirSync(home)
  writeFileSync(join(cwd, 'held.mjs'), heldExperiment)
  writeFileSync(join(cwd, 'program.mjs'), program)
  writeFileSync(join(cwd, 'thread-host.mjs'), threadHost)
  return { cwd, home }
}

/** Where an environment names no folder for caches and settings, programs use the home folder. */
const bare = (home: string): Record<string, string> => ({ PATH: process.env['PATH']!, HOME: home })

describe('training', () => {
  it('leaves nothing in the home folder, from the command, doctor, a program and a thread of a program', async () => {
    const { cwd, home } = programs()
    const env = { ...bare(home), XDG_CACHE_HOME: '', XDG_CONFIG_HOME: '' }
    const node = (file: string): Promise<{ stdout: string }> =>
      promisify(execFile)(process.execPath, [file], { cwd, env })
    const [swept, examined, ...run] = await Promise.all([
      mlds(['sweep', './held.mjs'], { cwd, env }),
      mlds(['doctor'], { cwd, env }),
      node('program.mjs'),
      node('thread-host.mjs'),
    ])
    expect(swept.stdout).toContain('1 of 1 trial finished')
    expect(examined.stdout).toMatch(/✓ engine compiled +trains/)
    expect(run.map(({ stdout }) => stdout)).toEqual(['trained true\n', 'trained true\n'])
    expect(readdirSync(home, { recursive: true })).toEqual([])
  })

  it('says nothing of its own on a host without a home folder', async () => {
    const { code, stderr } = await mlds(['doctor'], { cwd: programs().cwd, env: { HOME: '/proc/nowhere' } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  describe.skipIf(!hasNamespaces)('in a network of its own', () => {
    it('asks no name server and connects to nobody', async () => {
      const { cwd, home } = programs()
      const release = join(cwd, 'release')
      const run = join(repository, 'bin', 'run.js')
      const line = `node ${run} sweep ./held.mjs & node ${run} doctor & node program.mjs & node thread-host.mjs & wait`
      // ONNX Runtime asks for its collector nine seconds after it loads.
      const watchMs = 15_000
      const { stdout } = await promisify(execFile)(
        'unshare',
        [
          '-n',
          process.execPath,
          join(import.meta.dirname, 'fixtures', 'network-of-its-own.mjs'),
          line,
          release,
          `${watchMs}`,
        ],
        { cwd, env: { ...bare(home), RELEASE: release } },
      )
      const { stdout: said, ...asked } = JSON.parse(stdout) as { stdout: string }
      expect(said).toContain('1 of 1 trial finished')
      expect(said.match(/trained true/g)).toHaveLength(2)
      expect(asked).toEqual({ code: 0, queries: [], connects: 0, datagrams: 0 })
    })
  })
})

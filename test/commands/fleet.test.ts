import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats, withNats } from '../helpers/nats.js'

/** Says what it sees of its place, then a line whenever the file that it is told of grows, until that says stop. */
const program = `
import { existsSync, readFileSync } from 'node:fs'
const { CUDA_VISIBLE_DEVICES: devices, MLDS_SLOT: slot } = process.env
console.log(\`sees \${devices} in slot \${slot}\`)
let told = ''
const look = setInterval(() => {
  const text = existsSync(process.argv[2]) ? readFileSync(process.argv[2], 'utf8') : ''
  if (text !== told) console.log(\`heard \${text}\`)
  told = text
  if (text !== 'stop') return
  console.log(JSON.stringify({ loss: Number(process.argv[3]) }))
  clearInterval(look)
}, 20)
`

describe.skipIf(!hasNats)('a sweep on a fleet, with NATS_URL that holds a password', () => {
  it('says where a trial runs and what it writes now, and a worker that is drained ends after it', async () => {
    const cwd = temporaryFolder()
    const { url } = await withNats('authorization { user: ann, password: s3cret }')
    const env = { NATS_URL: url.replace('nats://', 'nats://ann:s3cret@') }
    const [file, words] = [join(cwd, 'train.mjs'), join(cwd, 'words')]
    writeFileSync(file, program)
    const sweep = `experiment: { command: [${process.execPath}, ${file}, ${words}, '{x}'] }
axes: { x: [1] }
labels: [a100]
resources: { gpu: 1 }
`
    writeFileSync(join(cwd, 'train.yaml'), sweep)
    const nats = ['--nats', url]
    const run = (...args: string[]) => mlds(args, { cwd, env })
    const running = startMlds(['sweep', 'train.yaml', '--name', 'q', ...nats], { cwd, env })
    await until(() => running.output().includes('there is no worker at all'))
    const given = ['--experiment', 'train.yaml', '--slots', '2', '--store', 'elsewhere', '--label', 'a100']
    const worker = startMlds(['worker', 'start', ...nats, ...given, '--gpus', '1'], {
      cwd,
      env: { ...env, CUDA_VISIBLE_DEVICES: 'GPU-1f,GPU-2e' },
    })
    await until(() => worker.output().includes('is ready'))
    expect(worker.output()).not.toContain('NATS reports')
    const status = async () =>
      JSON.parse((await run('status', 'q', '--json')).stdout) as {
        remote: { running: { trial: string; heardAtMs: number }[] }
      }
    let trial: { trial: string; heardAtMs: number } | undefined
    while (trial === undefined) [trial] = (await status()).remote.running
    expect(trial.heardAtMs).toBeGreaterThan(Date.now() - 60_000)
    expect((await run('status', 'q')).stdout).toMatch(/last heard[^]* ago/)

    const log = startMlds(['logs', trial.trial, '-f'], { cwd, env })
    await until(() => log.output().includes('sees GPU-1f in slot '))
    writeFileSync(words, 'something')
    await until(() => log.output().includes('heard something'))
    expect((await run('logs', trial.trial)).stdout).toContain('heard something')

    const drained = await run('worker', 'drain', ...nats)
    expect([drained.code, drained.stdout]).toEqual([0, expect.stringContaining('takes no more trials')])
    expect(worker.output()).not.toContain('has ended')
    writeFileSync(words, 'stop')
    await until(() => worker.output().includes('has ended'))
    await until(() => log.output().includes('finished: {"loss":1}'))
    // Each line once.
    expect(log.output().match(/heard something/g)).toHaveLength(1)
    expect((await running.finished).code).toBe(0)
  })

  it('leaves nothing behind where a server could not be started', async () => {
    const cwd = temporaryFolder()
    const { code } = await mlds(['nats', 'up', '--config', 'missing.conf'], { cwd })
    expect([code, existsSync(join(cwd, '.mlds'))]).toEqual([3, false])
  })
})

import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasSlurm, withSlurm } from '../../helpers/slurm.js'

/** A person's home on a cluster, with a program whose trials say that they have begun, and wait until they may end. */
async function withCluster() {
  const [slurm, server, home] = [await withSlurm(), await withNats(''), temporaryFolder()]
  const [program, file, begun, go] = ['trial.sh', 'trial.yaml', 'begun', 'go'].map((name) => join(home, name))
  writeFileSync(program!, `echo $1 >>${begun}\nwhile [ ! -e ${go} ]; do sleep 0.1; done\necho "{\\"loss\\": $1}"\n`)
  writeFileSync(file!, `experiment: { command: [sh, ${program}, '{x}'] }\naxes: { x: [1, 2, 3, 4] }\n`)
  const at = { cwd: home, env: { ...slurm.env, HOME: home, XDG_STATE_HOME: join(home, 'state') } }
  const words = ['--worker-arg=--slots', '--worker-arg=1', '--worker-arg=--experiment', `--worker-arg=${file}`]
  const nats = ['--nats', server.url]
  const run = (...args: string[]) => mlds(args, at)
  const workers = async () => {
    const { stdout } = await run('worker', 'list', ...nats, '--json')
    return (JSON.parse(stdout) as { worker: string }[]).map(({ worker }) => worker).sort()
  }
  return {
    ...{ slurm, home, at, nats, run, workers, file: file!, go: go!, words },
    submit: (...args: string[]) => run('fleet', 'slurm', '--name', 'lab', ...nats, ...words, ...args),
    sweep: (...args: string[]) => startMlds(['sweep', file!, ...nats, ...args], at),
    /** How many attempts have begun. */
    begun: () => (existsSync(begun!) ? readFileSync(begun!, 'utf8').trim().split('\n').length : 0),
    expectNothing: () => {
      expect(slurm.call('squeue', '-h')).toBe('')
      expect(readdirSync(home)).not.toContain('.cache')
      expect(readdirSync(join(home, 'state', 'mlds', 'fleets'))).toEqual([])
    },
  }
}

describe.skipIf(!hasSlurm || !hasNats)('mlds fleet slurm, on a real Slurm', () => {
  it('loses no trial to scancel and requeue, and leaves nothing', async () => {
    const { slurm, run, workers, submit, sweep, begun, go, expectNothing } = await withCluster()
    const submitted = await submit('--count', '2', '--time', '20m', '--json')
    const { job } = JSON.parse(submitted.stdout) as { job: string }
    await expect.poll(workers).toHaveLength(2)
    // By the task, and by the node, which has both.
    expect((await run('fleet', 'logs', 'lab-2')).stdout).toMatch(/worker lab-2-\d+|lab-2-\d+ /)
    const onNode = await run('fleet', 'logs', hostname(), '--json')
    expect(JSON.parse(onNode.stdout)).toHaveLength(2)
    const running = sweep()
    await until(() => begun() === 2)
    slurm.call('scancel', `${job}_1`)
    await expect.poll(workers).toEqual([expect.stringMatching(/^lab-2-\d+$/)])
    slurm.call('scontrol', 'requeue', `${job}_2`)
    // The task is told to end, and comes again as a worker of its own store.
    await until(() => begun() >= 3)
    writeFileSync(go, '')
    expect(await running.finished).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('4 of 4 trials') as string,
    })
    expect((await run('fleet', 'stop')).code).toBe(0)
    expectNothing()
  })

  it('has left before its time is up, and hands back what runs', async () => {
    const { slurm, at, nats, run, workers, submit, sweep, begun, go, file, expectNothing } = await withCluster()
    expect((await submit('--count', '1', '--time', '1m')).code).toBe(0)
    const running = sweep()
    await until(() => begun() === 1)
    await expect.poll(() => slurm.call('squeue', '-h')).toBe('')
    await expect.poll(workers).toEqual([])
    writeFileSync(go, '')
    startMlds(['worker', 'start', ...nats, '--experiment', file], at)
    expect((await running.finished).code).toBe(0)
    expect((await run('fleet', 'stop')).code).toBe(0)
    expectNothing()
  })

  it('works on for as long as Slurm grants one that is preempted, and is queued again', async () => {
    const { slurm, home, submit, run, sweep, begun, go, expectNothing } = await withCluster()
    const { job } = JSON.parse((await submit('--count', '1', '--time', '20m', '--json')).stdout) as { job: string }
    const told = (): string => slurm.call('scontrol', 'show', 'job', `${job}_1`)
    const running = sweep()
    await until(() => begun() === 1)
    const [urgent, over] = [join(home, 'urgent.sh'), join(home, 'over')]
    writeFileSync(urgent, `#!/bin/sh\nwhile [ ! -e ${over} ]; do sleep 0.2; done\n`)
    slurm.call('sbatch', '--partition=urgent', '--exclusive', '--output=/dev/null', urgent)
    await expect.poll(told).toMatch(/PreemptTime=\d/)
    writeFileSync(go, '')
    expect(await running.finished).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('4 of 4 trials') as string,
    })
    expect(told()).toContain('JobState=RUNNING')
    // A worker that had left by itself would have ended its job.
    await expect.poll(told).toMatch(/JobState=PENDING[^]*Restarts=1/)
    writeFileSync(over, '')
    expect((await run('fleet', 'stop', '--now')).code).toBe(0)
    await expect.poll(() => slurm.call('squeue', '-h')).toBe('')
    expectNothing()
  })

  it('runs code that comes with the sweep, in folders of the workers, and leaves nothing', async () => {
    const { home, run, nats, expectNothing } = await withCluster()
    const trace = join(home, 'trace')
    writeFileSync(join(home, 'train.sh'), `pwd >>${trace}\ncat word\necho "{\\"loss\\": $1}"\n`)
    writeFileSync(join(home, 'word'), 'beside\n')
    writeFileSync(join(home, 'train.yaml'), 'experiment: { command: "sh train.sh {x}" }\naxes: { x: [1, 2, 3] }\n')
    const submitted = await run(
      'fleet',
      'slurm',
      '--name',
      'lab',
      ...nats,
      '--count',
      '2',
      '--time',
      '10m',
      '--accept-code',
    )
    expect(submitted).toMatchObject({ code: 0, stdout: expect.stringContaining('mlds fleet logs lab-TASK') as string })
    const ran = await run('sweep', join(home, 'train.yaml'), ...nats, '--ship')
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('3 of 3 trials') as string })
    expect((await run('fleet', 'stop', '--now')).code).toBe(0)
    const brought = await run('sweep', join(home, 'train.yaml'), '--fresh', ...nats, '--fleet', 'slurm:1,10m', '--ship')
    expect(brought).toMatchObject({ code: 0, stdout: expect.stringContaining('3 of 3 trials') as string })
    const places = readFileSync(trace, 'utf8').trim().split('\n')
    expect(places).toHaveLength(6)
    for (const place of places) expect(place).toMatch(/\.cache\/mlds\/fleet\/.*\/worker-code\//)
    expectNothing()
  })

  it('serves one sweep and ends with it, and says what sbatch refused', async () => {
    const { run, words, nats, file, go, submit, expectNothing } = await withCluster()
    const refused = await submit('--count', '1', '--time', '10m', '--', '--partition=nowhere')
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('Invalid partition') as string })
    expectNothing()
    writeFileSync(go, '')
    const ran = await run('sweep', file, ...nats, ...words, '--fleet', 'slurm:2,10m')
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('4 of 4 trials') as string })
    expectNothing()
  })
})

import { describe, expect, it } from 'vitest'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  cancelScript,
  isOfArray,
  jobScript,
  refuseOtherTasks,
  submitFile,
  taskOf,
  type SlurmJob,
} from '../../src/fleet/slurm.js'
import { temporaryFolder } from '../helpers/cli.js'

const job: SlurmJob = {
  ...{ fleet: 'lab', count: 8, timeMs: 7_200_000, idleMs: 600_000, home: '/home/me', setup: false },
  ...{ program: ['/usr/bin/node', { copied: 'abc/bin/run.js' }], workerArgs: ['--slots', '1', "--label=it's"] },
}
const directives = (script: string): string[] => script.split('\n').filter((line) => line.startsWith('#SBATCH'))

describe('the job of a fleet', () => {
  it('asks Slurm for nothing that nobody said: no memory, no partition, no account', () => {
    expect(directives(jobScript(job))).toEqual([
      '#SBATCH --job-name=mlds-lab',
      '#SBATCH --array=1-8',
      '#SBATCH --time=120',
      '#SBATCH --signal=B:TERM@150',
      '#SBATCH --open-mode=append',
      '#SBATCH --output=/home/me/.cache/mlds/fleet/lab/%a.log',
    ])
  })

  it('is told nothing early when it is short, since Slurm may be a minute early itself', () => {
    expect(jobScript({ ...job, timeMs: 60_000 })).not.toContain('--signal')
    expect(jobScript({ ...job, timeMs: 60_000 })).toContain('--grace 10')
  })

  it('starts more than ten workers spread over ten seconds', () => {
    expect(jobScript({ ...job, count: 10 })).not.toContain('sleep')
    expect(jobScript({ ...job, count: 360 })).toContain('sleep $((SLURM_ARRAY_TASK_ID % 10))')
  })

  it('becomes the worker, in the shell that read the setup, with each word as it was given', () => {
    const home = temporaryFolder()
    const place = join(home, '.cache', 'mlds', 'fleet', 'lab')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'setup'), 'FROM_SETUP=yes; export FROM_SETUP\n')
    writeFileSync(join(place, 'job'), jobScript({ ...job, home, setup: true, program: [join(home, 'told')] }))
    const told = '#!/bin/sh\necho $PPID "$FROM_SETUP" "$NATS_USER" >"$HOME/out"\nprintf "%s\\n" "$@" >>"$HOME/out"\n'
    writeFileSync(join(home, 'told'), told, { mode: 0o755 })
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      NATS_USER: 'mine',
      SLURM_ARRAY_TASK_ID: '3',
      SLURM_JOB_ID: '57',
    }
    execFileSync('sh', [join(place, 'job')], { env })
    const [first, ...words] = readFileSync(join(home, 'out'), 'utf8').trimEnd().split('\n')
    expect(first).toBe(`${process.pid} yes `)
    expect(words.join(' ')).toBe(
      `worker start --name lab-3-57 --store ${place}/store/3 --time-limit auto --idle-timeout 600s --grace 120 --slots 1 --label=it's`,
    )
  })

  it('gives sbatch a person’s words as they are', () => {
    const bin = temporaryFolder()
    writeFileSync(join(bin, 'sbatch'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 })
    writeFileSync(join(bin, 'submit'), submitFile(['-p', 'a b', '--comment=$(id);', "it's"], false))
    const env = { PATH: `${bin}:${process.env['PATH']}` }
    expect(execFileSync('sh', [join(bin, 'submit')], { env, encoding: 'utf8' })).toBe(
      "--parsable\n-p\na b\n--comment=$(id);\nit's\n./job\n",
    )
  })

  it('has workers that are known by its name, and takes no other’s for its own', () => {
    expect(isOfArray('lab', 'lab-3-57')).toBe(true)
    for (const other of ['lab-3', 'lab-2-3-57', 'lab2-3-57', 'lab-x-57', 'lab-3-57-1'])
      expect(isOfArray('lab', other)).toBe(false)
  })
})

describe('a task of an array', () => {
  it('is known by its worker’s name, with or without the job', () => {
    expect([taskOf('lab', 'lab-3-57'), taskOf('lab', 'lab-12')]).toEqual([3, 12])
    for (const other of ['lab', 'lab-', 'lab2-3', 'lab-x', 'lab-3-x', 'lab-3-57-1', 'lab-123456'])
      expect(taskOf('lab', other)).toBe(undefined)
  })
})

describe('words for sbatch', () => {
  it.each([
    ['--array=1-8%2'],
    ['--array', '1-8'],
    ['-a1-8%4'],
    ['-a', '1-8'],
    ['--account=a', '--acctg-freq=1', '-A', 'x'],
  ])('may say how many tasks run at once, as %j %s', (...words) =>
    expect(() => refuseOtherTasks(words, 8)).not.toThrow(),
  )

  it.each([['--array=1-4'], ['--array', '0-7'], ['-a5-6'], ['-a', '1,3'], ['--arr=1-80'], ['--array']])(
    'may not ask for other tasks than the fleet’s, as %j %s',
    (...words) => expect(() => refuseOtherTasks(words, 8)).toThrow('the tasks of this fleet are 1-8'),
  )

  it('may name the only task of one', () => {
    for (const array of ['1', '1-1', '1%1']) expect(() => refuseOtherTasks(['-a', array], 1)).not.toThrow()
  })
})

describe('the end of a fleet’s job', () => {
  /** Slurm's programs as a folder of their own, where `squeue` answers this. */
  function stop(squeue: string): { code: number; called: string[]; left: boolean } {
    const [home, bin] = [temporaryFolder(), temporaryFolder()]
    const place = join(home, '.cache', 'mlds', 'fleet', 'lab')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'jobid'), '57\n')
    writeFileSync(join(bin, 'squeue'), `#!/bin/sh\n${squeue}\n`, { mode: 0o755 })
    writeFileSync(join(bin, 'scancel'), '#!/bin/sh\necho "$@" >>"$HOME/called"\n', { mode: 0o755 })
    const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: home }
    const script = cancelScript('lab', undefined, { patience: 0, now: false, keep: false })
    let code = 0
    try {
      execFileSync('sh', ['-c', `${script}`], { env, stdio: 'pipe' })
    } catch (error) {
      code = (error as { status: number }).status
    }
    const read = (file: string): string[] => {
      try {
        return readFileSync(file, 'utf8').trim().split('\n')
      } catch {
        return []
      }
    }
    return { code, called: read(join(home, 'called')), left: read(join(place, 'jobid')).length > 0 }
  }

  it('removes what is left of a job that Slurm has forgotten', () => {
    expect(stop('echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1')).toEqual({
      code: 0,
      called: [],
      left: false,
    })
  })

  it('keeps everything while Slurm does not answer', () => {
    expect(stop('echo "Unable to contact slurm controller" >&2; exit 1')).toEqual({ code: 1, called: [], left: true })
  })

  it('cancels what waits, tells what runs, and cancels what did not go', () => {
    const told = stop('[ -e "$HOME/called" ] && grep -qx 57 "$HOME/called" || echo running')
    expect(told).toEqual({ code: 0, called: ['--state=PENDING 57', '--signal=TERM --batch 57', '57'], left: false })
  })
})

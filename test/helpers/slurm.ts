import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, openSync, closeSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { temporaryFolder } from './cli.js'
import { requireService } from './services.js'

const programs = ['slurmctld', 'slurmd', 'sbatch', 'squeue', 'munged']
const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0)

/** True when tests can run a Slurm of their own. Who is not root skips them too, and is told so. */
export const hasSlurm =
  process.getuid?.() === 0
    ? requireService(
        'Slurm',
        missing.length === 0,
        `install Debian's slurmctld slurmd slurm-client munge (not there: ${missing.join(', ')})`,
      )
    : skippedWithoutRoot()

function skippedWithoutRoot(): boolean {
  console.warn('Tests of Slurm are skipped: its daemons need root.')
  return false
}

export interface Slurm {
  /** For whoever submits: where the configuration is. */
  readonly env: Record<string, string>
  /** What one of its programs says. */
  call(program: string, ...args: string[]): string
}

/**
 * One node of eight cores, controller and all, which goes with the test with every job of it. What is submitted to its
 * partition `urgent` preempts what runs in `test`, the default one, which is told so and queued again.
 */
export async function withSlurm(): Promise<Slurm> {
  const folder = temporaryFolder()
  const host = hostname().split('.')[0]!
  for (const made of ['state', 'spool']) mkdirSync(join(folder, made))
  const conf = join(folder, 'slurm.conf')
  writeFileSync(conf, configuration(folder, host))
  writeFileSync(join(folder, 'cgroup.conf'), cgroupSettings())
  startMunge()
  const env = { SLURM_CONF: conf }
  const call = (program: string, ...args: string[]): string =>
    execFileSync(program, args, {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  for (const daemon of ['slurmctld', 'slurmd']) {
    const log = openSync(join(folder, `${daemon}.log`), 'w')
    const child = spawn(daemon, ['-D'], { env: { ...process.env, ...env }, stdio: ['ignore', log, log] })
    closeSync(log)
    onTestFinished(() => void child.kill('SIGKILL'))
    const answer = (): string => {
      const { stdout } = spawnSync('sinfo', ['-h', '-o', '%T'], { env: { ...process.env, ...env }, encoding: 'utf8' })
      return stdout
    }
    await expect.poll(answer).toMatch(daemon === 'slurmctld' ? /\w/ : /idle/)
  }
  onTestFinished(async () => {
    call('scancel', '--user=root', '--full')
    await expect.poll(() => call('squeue', '-h')).toBe('')
  })
  return { env, call }
}

const cgroupSettings = (): string => {
  const version = execFileSync('slurmctld', ['-V'], { encoding: 'utf8' })
  const [, year = '0', month = '0'] = /(\d+)\.(\d+)/.exec(version) ?? []
  return Number(year) * 100 + Number(month) >= 2302 ? 'CgroupPlugin=disabled\n' : 'IgnoreSystemd=yes\n'
}

function startMunge(): void {
  if (spawnSync('munge', ['-n']).status === 0) return
  mkdirSync('/run/munge', { recursive: true })
  execFileSync('chown', ['munge:munge', '/run/munge'])
  execFileSync('runuser', ['-u', 'munge', '--', 'munged', '--pid-file=/run/munge/munged.pid'])
}

const configuration = (folder: string, host: string): string => `
ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
ReturnToService=2
KillWait=5
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
NodeName=${host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=2000 State=UNKNOWN
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=off
`

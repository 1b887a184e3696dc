import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { shellWord } from '../../src/core/shell-word.js'
import { packMlds } from '../../src/fleet/pack.js'
import { signalGroup } from '../../src/system/process-group.js'
import { temporaryFolder, until } from './cli.js'
import { hasNamespaces, withNetwork, type Network } from './network.js'
import { requireService } from './services.js'

const sshd = '/usr/sbin/sshd'

/** True when tests can make hosts of their own that are reached by ssh. */
export const hasSshHosts = hasNamespaces && requireService('sshd', existsSync(sshd), "install Debian's openssh-server")

export interface SshHost {
  readonly name: string
  /** Its user's home folder. */
  readonly home: string
  readonly network: Network
  /** Programs on its PATH. */
  readonly programs: string
  readonly sshd: ChildProcess
}

/** A person's host with hosts that only its own ssh knows; they all go with the test. */
export interface SshLab {
  readonly cwd: string
  /** For mlds: an `ssh` that reads the lab's configuration is first on PATH. */
  readonly env: Record<string, string>
  /** The address by which the hosts find this one. */
  readonly here: string
  host(name: string): SshHost
  /** Adds to the configuration of ssh, before the hosts'. */
  configure(text: string): void
}

interface HostChoice {
  readonly name: string
  /** Whether Node is on its PATH. Default true. */
  readonly node?: boolean
  /** Whether its sshd forwards ports. Default true. */
  readonly forwards?: boolean
  /** Only by way of this host, which is behind the same cable. */
  readonly behind?: string
  /** The host whose home folder it has, as on a shared disk. */
  readonly shares?: string
  /** What its logins do first. */
  readonly login?: string
  /** The name of its home folder. */
  readonly folder?: string
  /** Whose number its logins have; root's by default. */
  readonly uid?: number
}

/** A network that nobody has now: test files run beside each other, and one that was killed leaves its own. */
function freeNetwork(): number {
  const taken = execFileSync('ip', ['-4', '-o', 'addr'], { encoding: 'utf8' })
  const first = 40 + (process.pid % 200)
  for (let index = first; index < 255; index++) if (!taken.includes(` 10.213.${index}.`)) return index
  throw new Error('no network is free: see ip addr')
}

export function withSshLab(...choices: readonly HostChoice[]): SshLab {
  const folder = temporaryFolder()
  const [config, keys] = [join(folder, 'ssh_config'), join(folder, 'known')]
  const bin = join(folder, 'bin')
  for (const made of [bin, join(folder, 'cwd'), '/run/sshd']) mkdirSync(made, { recursive: true })
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec ${which('ssh')} -F ${config} "$@"\n`, { mode: 0o755 })
  writeFileSync(keys, '')
  keyPair(join(folder, 'id'))
  writeFileSync(config, '')
  const hosts = new Map<string, SshHost>()
  for (const choice of choices) {
    const network = choice.behind === undefined ? withNetwork(freeNetwork()) : hosts.get(choice.behind)!.network
    // One address of this host serves them all.
    if (choice.behind === undefined)
      execFileSync(...network.inside('ip', 'route', 'add', 'default', 'via', network.here))
    hosts.set(choice.name, startHost(folder, choice, network))
  }
  const rest = `Host *\n  User root\n  IdentityFile ${join(folder, 'id')}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${keys}\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n`
  const entries = choices.map(({ name, behind }) => {
    const address = behind === undefined ? hosts.get(name)!.network.there : '127.0.0.1'
    const port = behind === undefined ? 22 : 2_222
    writeFileSync(keys, `${readFileSync(keys, 'utf8')}${name} ${readFileSync(join(folder, `${name}.key.pub`), 'utf8')}`)
    return `Host ${name}\n  HostName ${address}\n  HostKeyAlias ${name}\n  Port ${port}\n${behind === undefined ? '' : `  ProxyJump ${behind}\n`}`
  })
  const write = (text: string): void => writeFileSync(config, [text, ...entries, rest].join('\n'))
  write('')
  return {
    cwd: join(folder, 'cwd'),
    env: { PATH: `${bin}:${process.env['PATH']}`, HOME: join(folder, 'cwd'), XDG_STATE_HOME: join(folder, 'state') },
    here: [...hosts.values()][0]?.network.here ?? '',
    host: (name) => hosts.get(name)!,
    configure: write,
  }
}

/** The process of the only worker that a fleet has in that home folder. */
export function pidOfWorker({ home }: Pick<SshHost, 'home'>, fleet: string): number {
  const fleets = join(home, '.cache', 'mlds', 'fleet')
  const place = readdirSync(fleets).find((name) => name.startsWith(`${fleet}.`))!
  return Number(readFileSync(join(fleets, place, 'pid'), 'utf8'))
}

/** What a failed test leaves running on a host. */
function endWorkers(home: string): void {
  const fleets = join(home, '.cache', 'mlds', 'fleet')
  for (const fleet of existsSync(fleets) ? readdirSync(fleets) : []) {
    const file = join(fleets, fleet, 'pid')
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
    // 0 would be this very group.
    if (pid > 1) signalGroup(pid, 'SIGKILL')
  }
}

const which = (program: string): string => execFileSync('which', [program], { encoding: 'utf8' }).trim()
const keyPair = (file: string): void =>
  void execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file], { stdio: 'pipe' })

function startHost(
  folder: string,
  { name, node = true, forwards = true, behind, shares = name, login = ':', folder: own, uid }: HostChoice,
  network: Network,
): SshHost {
  const [home, programs] = [join(folder, own ?? `home-${shares}`), join(folder, `programs-${name}`)]
  for (const made of [home, programs]) mkdirSync(made, { recursive: true })
  for (const program of readdirSync('/usr/bin'))
    if (program !== 'node' && !program.startsWith('mlds'))
      symlinkSync(join('/usr/bin', program), join(programs, program))
  if (node) symlinkSync(process.execPath, join(programs, 'node'))
  keyPair(join(folder, `${name}.key`))
  const become = uid === undefined ? '' : `setpriv --reuid=${uid} --regid=${uid} --clear-groups `
  if (uid !== undefined) {
    chmodSync(folder, 0o755)
    chownSync(home, uid, uid)
  }
  // As a login gives a person a home and a PATH; sshd itself would give root's.
  const enter = join(folder, `enter-${name}`)
  writeFileSync(
    enter,
    `#!/bin/sh\ncd ${shellWord(home)}\n${login}\nexec ${become}env -i ${shellWord(`HOME=${home}`)} PATH=${programs} sh -c "$SSH_ORIGINAL_COMMAND"\n`,
  )
  chmodSync(enter, 0o755)
  const config = join(folder, `${name}.conf`)
  // As everywhere: ssh says it on the stream of errors.
  const banner = join(folder, 'banner')
  writeFileSync(banner, 'For members of the lab only.\n')
  const lines = [
    `ListenAddress ${behind === undefined ? `${network.there}:22` : '127.0.0.1:2222'}`,
    ...[
      `HostKey ${join(folder, `${name}.key`)}`,
      `AuthorizedKeysFile ${join(folder, 'id.pub')}`,
      `ForceCommand ${enter}`,
    ],
    ...['StrictModes no', 'UsePAM no', 'PidFile none', 'PermitRootLogin yes', 'PasswordAuthentication no'],
    'KbdInteractiveAuthentication no',
    `Banner ${banner}`,
    ...(forwards ? [] : ['DisableForwarding yes']),
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  const child = spawn(...network.inside(sshd, '-D', '-e', '-f', config), { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.resume()
  onTestFinished(() => void child.kill('SIGKILL'))
  onTestFinished(() => endWorkers(home))
  return { name, home, network, programs, sshd: child }
}

const program = join(import.meta.dirname, '..', '..', 'bin', 'run.js')

/** The host's own mlds, so that nothing need be copied. */
export function giveMlds({ programs }: Pick<SshHost, 'programs'>): void {
  writeFileSync(join(programs, 'mlds'), `#!/bin/sh\nexec node ${program} "$@"\n`, { mode: 0o755 })
}

/** What would be copied to the host is there already, as links to this very mlds: they alone go with the fleet. */
export function shelve({ home }: Pick<SshHost, 'home'>): void {
  const repository = join(import.meta.dirname, '..', '..')
  const shelf = join(home, '.cache', 'mlds', packMlds(false, repository).digest)
  mkdirSync(shelf, { recursive: true })
  for (const part of ['bin', 'dist', 'node_modules', 'package.json'])
    symlinkSync(join(repository, part), join(shelf, part))
}

/** Resolves once every host of the lab answers. */
export async function untilAnswering(lab: SshLab, ...names: readonly string[]): Promise<void> {
  await until(() =>
    names.every((name) => spawnSync(join(lab.env['PATH']!.split(':')[0]!, 'ssh'), [name, 'true']).status === 0),
  )
}

import { toldBy, type Answer } from './ssh.js'

/** What a host says of itself. */
export interface Checked {
  readonly platform: string
  readonly arch: string
  /** Version of glibc; `undefined` where it is another library, or no Linux. */
  readonly glibc: string | undefined
  /** `v20.15.0`; `undefined` where none is found. */
  readonly node: string | undefined
  readonly nodePath: string
  /** Where its own mlds is; empty where none is found. */
  readonly ownMlds: string
  /** Its version, where it was asked for. */
  readonly ownVersion?: string | undefined
  /** A program that it has not, and that nothing can be brought without. */
  readonly lacks?: string | undefined
  /** Where something would have to be made, and can't be. */
  readonly shut?: string | undefined
  /** Where mlds would have to be, and nothing can be executed. */
  readonly noexec?: string | undefined
  readonly cores: number | undefined
  readonly freeBytes: number | undefined
  readonly home: string
}

const oldestNode = [20, 15]
const systems: Readonly<Record<string, string>> = { Linux: 'linux', Darwin: 'darwin' }
const machines: Readonly<Record<string, string>> = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', arm64: 'arm64' }

export function readCheck(answer: Answer): Checked {
  const told = toldBy(answer)
  const say = (key: string): string => (told.get(key) ?? '').slice(0, 300)
  const [system = '', machine = ''] = say('system').split(' ')
  const free = /\d+\s+\d+\s+(\d+)\s+\d+%/.exec(say('disk'))?.[1]
  const cores = Number(say('cores'))
  return {
    platform: systems[system] ?? (system || 'unknown'),
    arch: machines[machine] ?? machine,
    glibc: /^glibc (\d+\.\d+)/.exec(say('libc'))?.[1],
    node: /^v\d+\.\d+\.\d+/.exec(say('node'))?.[0],
    nodePath: say('nodepath'),
    ownMlds: say('own'),
    ownVersion: /^mlds\/(\S+)/.exec(say('version'))?.[1],
    lacks: told.get('lacks'),
    shut: told.has('shut') ? say('shut') : undefined,
    noexec: told.has('noexec') ? say('noexec') : undefined,
    cores: cores >= 1 ? cores : undefined,
    freeBytes: free === undefined ? undefined : 1_024 * Number(free),
    home: say('home'),
  }
}

/** Whether its own Node runs mlds. */
export function hasNode({ node, nodePath }: Checked): boolean {
  const [major = 0, minor = 0] = (node ?? '').slice(1).split('.').map(Number)
  return nodePath.startsWith('/') && (major > oldestNode[0]! || (major === oldestNode[0] && minor >= oldestNode[1]!))
}

/** This host, as far as what is copied from it depends on it. */
export interface Here {
  readonly platform: string
  readonly arch: string
  readonly glibc: string | undefined
}

export function here(): Here {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return { platform: process.platform, arch: process.arch, glibc: header.glibcVersionRuntime }
}

/** Why no worker can be started there, whichever mlds it is; `undefined` where nothing is known against it. */
export function unready({ lacks, shut }: Checked): string | undefined {
  if (lacks !== undefined) return `there is no ${lacks} on its PATH`
  return shut === undefined
    ? undefined
    : `nothing can be made in ${shut}, and what a worker is given belongs in ~/.cache/mlds`
}

/** Why mlds of this host would not run on that one; `undefined` where nothing is known against it. */
export function misfit(there: Checked, mine: Here): string | undefined {
  const [a, b] = [`${there.platform} ${there.arch}`, `${mine.platform} ${mine.arch}`]
  if (a !== b) return `it is ${a}, and mlds is copied from ${b}: install mlds there, and say --install none`
  if (there.platform === 'linux' && there.glibc === undefined)
    return 'its C library is not glibc, which the engine needs'
  if (there.noexec !== undefined)
    return `nothing can be executed from ${there.noexec} (noexec), where a worker's files are: make ~/.cache/mlds a link to a folder of another disk, or install mlds on that host, and say --install none`
  if (hasNode(there)) return undefined
  const lacks = there.node === undefined ? 'it has no Node' : `its Node is ${there.node}`
  if (older(there.glibc, mine.glibc))
    return `${lacks}, and this host's needs glibc ${mine.glibc}, but it has ${there.glibc}: install Node 20.15 or later there, or name its place with --setup FILE`
  return undefined
}

function older(a = '', b = ''): boolean {
  const [[a1 = 0, a2 = 0], [b1 = 0, b2 = 0]] = [a.split('.').map(Number), b.split('.').map(Number)]
  return a1 < b1 || (a1 === b1 && a2 < b2)
}

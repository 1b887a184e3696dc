import { MldsError } from '../core/errors.js'

/** A host as a person names it for `ssh`: `[user@]host[:port]`, where host may be a name of their ssh config. */
export interface Host {
  /** As typed. */
  readonly name: string
  /** What `ssh` is given: `[user@]host`. */
  readonly destination: string
  readonly port: number | undefined
}

/** This very host, which is asked without `ssh`. */
export const thisHost: Host = { name: 'this host', destination: '', port: undefined }

const pattern =
  /^((?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}@)?)([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/

/** @throws MldsError for what could be an option or hold a shell's characters: those never reach `ssh`. */
export function parseHost(name: string): Host {
  const [, user = '', host, port] = pattern.exec(name) ?? []
  if (host === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)))
    throw new MldsError('USAGE', `not the name of a host: ${JSON.stringify(name.slice(0, 100))} ([user@]host[:port])`, {
      hint: 'for anything else write a Host into ~/.ssh/config, and give its name',
    })
  const destination = `${user}${host.replace(/^\[|\]$/g, '')}`
  return { name, destination, port: port === undefined ? undefined : Number(port) }
}

/** @throws MldsError for a host that is no name of one, or is named twice. */
export function parseHosts(names: readonly string[]): Host[] {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new MldsError('USAGE', `${twice} is named twice (give one worker more --slots instead)`)
  return names.map(parseHost)
}

/** A part of worker names and of file names; two hosts may share it. */
export const labelOf = ({ destination }: Pick<Host, 'destination'>): string =>
  destination
    .replace(/^.*@/, '')
    .replaceAll(/[^A-Za-z0-9-]/g, '-')
    .replace(/^-+/, '')
    .slice(0, 40)

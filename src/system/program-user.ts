import { execFileSync } from 'node:child_process'
import { MldsError } from '../core/errors.js'

/** The user that trials' programs run as. */
export interface ProgramUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** Looks a user up by name or number. @throws MldsError when there is none, or this process may not run programs as another. */
export function findProgramUser(wanted: string): ProgramUser {
  if (process.getuid?.() !== 0)
    throw new MldsError('USAGE', `--trial-user: ${wanted}: only root can run programs as another user`)
  let entry: string
  try {
    entry = execFileSync('getent', ['passwd', '--', wanted], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    throw new MldsError('USAGE', `--trial-user: there is no user: ${wanted}`, { cause: error })
  }
  const [name = wanted, , uid, gid, , home = '/'] = entry.trimEnd().split(':')
  if (Number(uid) === 0) throw new MldsError('USAGE', `--trial-user: ${wanted} may do all that this worker may`)
  return { name, uid: Number(uid), gid: Number(gid), home }
}

import type { Hook } from '@oclif/core'
import { exitCodes, nearest } from '../core/errors.js'

/**
 * What a person sees who mistyped a command: the nearest one, or where to find them all. A word after a command that
 * takes none comes here too.
 */
const commandNotFound: Hook<'command_not_found'> = async function ({ id, config }) {
  const typed = id.replaceAll(':', ' ')
  const known = config.commandIDs.map((command) => command.replaceAll(':', ' '))
  const [first, second] = typed.split(' ') as [string, string?]
  process.exitCode = exitCodes.usage
  const command = [`${first} ${second}`, first].find((name) => known.includes(name))
  if (command !== undefined) {
    const rest = typed.slice(command.length + 1)
    process.stderr.write(`Error: mlds ${command} takes no argument: ${rest}\n  see mlds ${command} --help\n`)
    return
  }
  const near = (second === undefined ? undefined : nearest(`${first} ${second}`, known)) ?? nearest(first, known)
  process.stderr.write(
    `Error: unknown command: ${near?.includes(' ') === true ? `${first} ${second}` : first}\n  ${near === undefined ? 'mlds --help lists them' : `did you mean ${near}?`}\n`,
  )
}

export default commandNotFound

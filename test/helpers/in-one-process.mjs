// Runs commands of the built mlds one after another in one process: what each wrote and its exit code, as JSON. Starting
// a process for each would take longer than the commands themselves.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { run } from '@oclif/core'

const root = fileURLToPath(new URL('../../', import.meta.url))
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const commands = JSON.parse(Buffer.concat(chunks).toString())

const answers = []

/** The words of the command of mlds that the last answer advises, as a shell takes them. */
function advised(beginning) {
  const { stdout, stderr } = answers.at(-1)
  const line = (stdout + stderr).split('\n').find((one) => one.includes(`mlds ${beginning}`))
  if (line === undefined) return ['--no-such-advice']
  const [, command] = /mlds (.*?)(?:, collect them with.*|[).]*)$/.exec(line.slice(line.indexOf(`mlds ${beginning}`)))
  return execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n')
}

const write = process.stdout.write.bind(process.stdout)
for (const command of commands) {
  const args = Array.isArray(command) ? command : advised(command.advised)
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'])
    process[name].write = (chunk, ...rest) => {
      said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      rest.at(-1) instanceof Function && rest.at(-1)()
      return true
    }
  process.exitCode = 0
  let failure
  await run(args, root).catch((error) => (failure = error.stack))
  answers.push({ args, code: failure === undefined ? Number(process.exitCode) : 70, signal: null, ...said })
  if (failure !== undefined) answers.at(-1).stderr += failure
}
process.exitCode = 0
write(JSON.stringify(answers), () => process.exit(0))

// Runs commands of the built mlds one after another in one process: what each wrote and its exit code, as JSON. Starting
// a process for each would take longer than the commands themselves.
import { fileURLToPath } from 'node:url'
import { run } from '@oclif/core'

const root = fileURLToPath(new URL('../../', import.meta.url))
const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const commands = JSON.parse(Buffer.concat(chunks).toString())

const answers = []
const write = process.stdout.write.bind(process.stdout)
for (const args of commands) {
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
  answers.push({ code: failure === undefined ? Number(process.exitCode) : 70, signal: null, ...said })
  if (failure !== undefined) answers.at(-1).stderr += failure
}
process.exitCode = 0
write(JSON.stringify(answers), () => process.exit(0))

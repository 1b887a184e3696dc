// What can be checked without running anything, two checks at a time; each says its words when it has ended, and one that fails
// fails them all. `npm run check:static`
import { spawn } from 'node:child_process'

const left = ['types', 'lint', 'format', 'dead-exports']

function run(name) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] })
    let words = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (words += chunk))
    child.on('close', (code) => {
      console.log(`${name}: ${code === 0 ? 'right' : `failed\n${words}`}`)
      if (code !== 0) process.exitCode = 1
      resolve()
    })
  })
}

async function takeTurns() {
  for (let name = left.shift(); name !== undefined; name = left.shift()) await run(name)
}

await Promise.all([takeTurns(), takeTurns()])

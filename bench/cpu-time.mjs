// Preloaded into a command that is measured: says at its end how much processor time it and its threads have used, and memory at most.
import { isMainThread } from 'node:worker_threads'
if (isMainThread)
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    const memoryMb = Math.round(process.resourceUsage().maxRSS / 1024)
    process.stderr.write(`\ncpu seconds: ${(user + system) / 1e6}, memory: ${memoryMb} MB\n`)
  })

import { spawn } from 'node:child_process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import { PsList } from '../../src/system/process-list.js'
import { ProcessTree } from '../../src/system/process-tree.js'
import { watchUsage } from '../../src/system/process-usage.js'

describe('what processes take', () => {
  it('is looked at ever more rarely, and is told as it was at the last look', () => {
    const clock = new SimulatedClock()
    const lookedMs: number[] = []
    const usage = () => {
      lookedMs.push(clock.now())
      // One core and a half; the memory is given back after the third look.
      return { peakBytes: lookedMs.length < 4 ? 7e6 : 3e6, cpuMs: 1.5 * clock.now() }
    }
    const stop = watchUsage({ usage }, clock)
    clock.advance(60_000)
    expect(lookedMs).toEqual([250, 750, 1_750, 3_750, 7_750, 15_750, 25_750, 35_750, 45_750, 55_750])
    expect(stop()).toEqual({ peakBytes: 7e6, cpuShare: 1.5 })
    clock.advance(60_000)
    expect(lookedMs).toHaveLength(10)
  })

  it('is looked at more rarely where a look takes long', () => {
    const clock = new SimulatedClock()
    let looks = 0
    const usage = () => {
      looks++
      clock.advance(500)
      return { peakBytes: 1, cpuMs: 1 }
    }
    watchUsage({ usage }, clock)
    clock.advance(250 + 500 + 100_000)
    expect(looks).toBe(2)
  })

  it('is nothing where no look came, the processes had ended by then, or the host does not tell', () => {
    const clock = new SimulatedClock()
    const tree = new ProcessTree(2 ** 30, 'MARK=1')
    const stop = watchUsage(tree, clock)
    expect(stop()).toBeUndefined()
    const later = watchUsage(tree, clock)
    clock.advance(20_000)
    expect(later()).toBeUndefined()
    expect(new ProcessTree(process.pid, 'MARK=1', new PsList()).usage()).toBeUndefined()
  })

  it.skipIf(process.platform !== 'linux')(
    'is the memory of the largest of them at its height, and the processor time of all, those that ended too',
    async () => {
      const busy = (ms: number, then = ''): string =>
        `const end = process.cpuUsage().user + 1000 * ${ms}; while (process.cpuUsage().user < end); ${then}`
      const taking = `
        const { spawnSync } = require('child_process')
        { const taken = Buffer.alloc(300e6, 1) }
        spawnSync(process.execPath, ['-e', ${JSON.stringify(busy(300))}])
        ${busy(300)}
        console.log('done')
        setInterval(() => {}, 1000)`
      const child = spawn(process.execPath, ['-e', taking], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
      onTestFinished(() => void child.kill('SIGKILL'))
      await new Promise((resolve) => child.stdout.once('data', resolve))
      const { peakBytes, cpuMs } = new ProcessTree(child.pid!, 'MARK=1').usage()!
      expect(peakBytes).toBeGreaterThan(300e6)
      expect(peakBytes).toBeLessThan(600e6)
      expect(cpuMs).toBeGreaterThan(590)
    },
  )
})

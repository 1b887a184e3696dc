import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasMlflow, readWithPython } from '../helpers/mlflow.js'

const set = ['dataset=glyphs-2000', 'trainRows=600', 'validationRows=200', 'epochs=1', 'width=4,8', 'seed=0']
const sweepArgs = ['sweep', 'params', ...set.flatMap((value) => ['--set', value])]

/** Processes of the group that have not ended; zombies have. */
function livingProcesses(group: number): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [state, , pgrp] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return Number(pgrp) === group && state !== 'Z'
    } catch {
      return false
    }
  })
}

function groupsBelow(parent: number): number[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const [, ppid, pgrp] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return Number(ppid) === parent ? [Number(pgrp)] : []
    } catch {
      return []
    }
  })
}

const environmentOf = (pid: string): string[] => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('mlds ui', () => {
  it('shows every sweep of the store, sends nothing twice, and leaves no process behind', async () => {
    const cwd = temporaryFolder()
    for (const name of ['first', 'second']) {
      expect(await mlds([...sweepArgs, '--name', name, '--fresh'], { cwd })).toMatchObject({ code: 0 })
    }
    for (const [round, said] of [
      [1, '2 runs brought'],
      [2, 'nothing new'],
    ] as const) {
      const ui = startMlds(['ui', '--port', '0'], { cwd })
      await until(() => ui.output().split('its story:').length === 3 || ui.child.exitCode !== null)
      expect(ui.output()).toContain(`second (${said})`)
      expect(ui.output()).toContain(`first (${said})`)
      const url = /listens on (\S+);/.exec(ui.output())![1]!
      expect(ui.output()).toMatch(
        /its runs: {2}http\S+\/runs\?viewStateShareKey=[0-9a-f]{16}&compareRunsMode=CHART&workflowType=machine_learning/,
      )
      expect(ui.output()).toMatch(/its story: http\S+\/runs\/[0-9a-f]{32}\?workflowType=machine_learning/)
      if (round === 1) expect(readWithPython(url, 'first')).toHaveLength(3)
      const groups = groupsBelow(ui.child.pid!)
      expect(groups).toHaveLength(1)
      const servers = livingProcesses(groups[0]!)
      expect(servers.length).toBeGreaterThan(0)
      for (const pid of servers) expect(environmentOf(pid)).toContain('MLFLOW_DISABLE_TELEMETRY=true')

      ui.child.kill('SIGINT')
      expect(await ui.finished).toMatchObject({ code: 0 })
      expect(livingProcesses(groups[0]!)).toEqual([])
    }
  })

  it("runs MLflow by uv's runner where there is no mlflow, and says what to install where there is neither", async () => {
    const cwd = temporaryFolder()
    const bin = join(cwd, 'bin')
    mkdirSync(bin)
    const words = join(cwd, 'words')
    writeFileSync(join(bin, 'uvx'), `#!/bin/sh\necho "$@" > ${words}\nshift\nexec ${process.env['MLDS_MLFLOW']} "$@"\n`)
    chmodSync(join(bin, 'uvx'), 0o755)
    const ui = startMlds(['ui', '--port', '0'], { cwd, env: { MLDS_MLFLOW: '', PATH: `${bin}:/usr/bin:/bin` } })
    await until(() => ui.output().includes('listens on') || ui.child.exitCode !== null)
    expect(readFileSync(words, 'utf8')).toMatch(/^mlflow server /)
    ui.child.kill('SIGTERM')
    expect(await ui.finished).toMatchObject({ code: 0 })

    const without = await mlds(['ui'], { cwd, env: { MLDS_MLFLOW: '', PATH: join(cwd, 'nothing') } })
    expect(without).toMatchObject({ code: 3 })
    expect(without.stderr).toContain('pip install mlflow')
  })

  it('says so when the port is taken, when the program is not one, and when the server dies', async () => {
    const cwd = temporaryFolder()
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }
    const busy = await mlds(['ui', '--port', String(port)], { cwd })
    expect(busy).toMatchObject({ code: 3 })
    expect(busy.stderr).toContain(`port ${port} is in use`)

    const wrong = await mlds(['ui', '--port', '0'], { cwd, env: { MLDS_MLFLOW: '/no/such/mlflow' } })
    expect(wrong).toMatchObject({ code: 2 })
    expect(wrong.stderr).toContain('MLDS_MLFLOW: /no/such/mlflow')

    const dying = join(cwd, 'mlflow')
    writeFileSync(dying, '#!/bin/sh\necho the database is broken\nexit 7\n')
    chmodSync(dying, 0o755)
    const dead = await mlds(['ui', '--port', '0'], { cwd, env: { MLDS_MLFLOW: dying } })
    expect(dead).toMatchObject({ code: 3 })
    expect(dead.stderr).toContain('the database is broken')
    expect(existsSync(join(cwd, '.mlds', 'mlflow', 'server.log'))).toBe(true)
  })
})

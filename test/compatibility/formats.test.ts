import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Journal, journalFormat } from '../../src/sweeps/journal/journal.js'
import { planFormat } from '../../src/sweeps/stored-plan.js'
import { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import { manifestFormat, manifestPath } from '../../src/tracking/mlflow/projection/projection.js'
import { readTrackedSweep } from '../../src/tracking/mlflow/projection/read-sweep.js'
import { mlflowSettings } from '../../src/tracking/mlflow/rest/settings.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { namesOf, sweepToken } from '../../src/worker/remote/wire/names.js'
import { protocolVersion } from '../../src/worker/remote/wire/protocol.js'
import { openBroker, runsOf, type OrchestratorBroker } from '../../src/worker/remote/wire/streams.js'
import { temporaryFolder, type Finished } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'
import { hasMlflow, startMlflow } from '../helpers/mlflow.js'
import { hasNats } from '../helpers/nats.js'
import { unpack } from './fixtures.js'

const sweepYaml = `experiment: { command: 'echo loss={a}' }\naxes: { a: [1, 2] }\n`

/** Every file's bytes as one text. */
function treeOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
    .map(
      (path) =>
        `${path} ${createHash('sha256')
          .update(readFileSync(join(folder, path)))
          .digest('hex')}`,
    )
    .join('\n')
}

function expectRefused({ code, stdout, stderr }: Finished, sentence: RegExp, command: string): void {
  expect(stderr, command).toMatch(sentence)
  expect(stderr, command).not.toMatch(/\n\s+at |a bug/)
  expect(code, `${command}: ${stdout}${stderr}`).toBe(3)
}

describe('what a newer mlds wrote into a store', () => {
  const open = async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 't.yaml'), sweepYaml)
    const [made] = await inOneProcess([['sweep', 't.yaml', '--name', 'newer']], cwd)
    expect(made!.code, made!.stderr).toBe(0)
    const file = (name: string): string => join(cwd, '.mlds/sweeps/newer', name)
    const [trial] = (JSON.parse(readFileSync(file('plan.json'), 'utf8')) as { trials: { id: string }[] }).trials
    return { cwd, file, trial: trial!.id }
  }
  const reading = [
    ['status', 'newer'],
    ['verify', 'newer'],
    ['best', 'newer'],
    ['export', 'newer'],
    ['figure', 'newer'],
    ['report', 'newer'],
    ['compare', 'newer', 'newer'],
    ['watch', 'newer'],
    ['diff', 'newer', 't.yaml'],
    ['export', 'newer', '--format', 'mlruns', '--output', 'runs'],
  ]
  const writing = [
    ['resume', 'newer'],
    ['sweep', 't.yaml', '--name', 'newer'],
    ['sweep', 't.yaml', '--name', 'newer', '--set', 'a=1,2,3', '--extend'],
    ['sweep', 't.yaml', '--name', 'newer', '--fresh'],
  ]

  /** All commands refuse, change nothing, and go on with another sweep of the store. */
  const expectAllRefused = async (cwd: string, sentence: RegExp, commands: string[][]): Promise<void> => {
    const before = treeOf(cwd)
    const answers = await inOneProcess(commands, cwd)
    answers.forEach((answer, i) => expectRefused(answer, sentence, commands[i]!.join(' ')))
    expect(treeOf(cwd)).toBe(before)
  }
  const expectOthersServed = async (cwd: string): Promise<void> => {
    const commands = [
      ['sweep', 't.yaml', '--name', 'other'],
      ['plan', 't.yaml', '--set', 'a=1,7'],
      ['verify', 'other'],
    ]
    const answers = await inOneProcess([...commands, ['list']], cwd)
    answers.forEach(({ code, stderr }) => expect(code, stderr).toBe(0))
    // Listed are those that can be read; of the other it is said why not.
    expect(answers[3]!.stdout).toContain('other')
    expect(answers[3]!.stderr).toMatch(/was written by a newer mlds/)
  }

  it('is refused in a sentence by every command when its journal is of a higher format, and stays as it is', async () => {
    const { cwd, file } = await open()
    const journal = Journal.open(file('journal.jsonl'))
    const facts = { sweep: 'newer', planHash: '0', codeVersion: '9.9.9', atMs: 0 }
    journal.append({ type: 'opened', format: journalFormat + 1, ...facts })
    journal.close()
    const sentence = new RegExp(
      `journal\\.jsonl was written by a newer mlds: journal format ${journalFormat + 1} \\(this one reads up to ${journalFormat}\\)\n  update mlds to at least 9\\.9\\.9`,
    )
    // What a plan says does not hang on the journal.
    const commands = [...reading, ...writing].filter(([name]) => name !== 'diff')
    await expectAllRefused(cwd, sentence, commands)
    await expectOthersServed(cwd)
  })

  it('is refused when its plan is of a higher format', async () => {
    const { cwd, file, trial } = await open()
    const text = readFileSync(file('plan.json'), 'utf8')
    writeFileSync(file('plan.json'), text.replace(/"format":\d+/, `"format":${planFormat + 1}`))
    const sentence = new RegExp(`newer was written by a newer mlds: plan format ${planFormat + 1} \\(.*\n  update mlds`)
    await expectAllRefused(cwd, sentence, [...reading, ...writing, ['show', trial], ['logs', trial]])
    await expectOthersServed(cwd)
  })

  it('is refused when its verdicts are of a higher format, where they are read or would be written', async () => {
    const { cwd, file } = await open()
    writeFileSync(file('verdicts.json'), '{"format":2,"verdicts":{}}')
    const commands = [['status', 'newer'], ['figure', 'newer'], ...writing.slice(0, 2)]
    await expectAllRefused(cwd, /verdicts\.json was written by a newer mlds: verdicts format 2/, commands)
  })

  it('is refused as a whole when the store is of a higher format', async () => {
    const { cwd, trial } = await open()
    writeFileSync(join(cwd, '.mlds/format'), '2\n')
    const commands = [...reading, ...writing, ['show', trial], ['list'], ['plan', 't.yaml'], ['data', 'list']]
    await expectAllRefused(cwd, /the store \S+ was written by a newer mlds: store format 2/, commands)
  })
})

describe.skipIf(!hasNats)('what a newer mlds keeps on a NATS server', () => {
  const newer = (text: string): string => {
    const altered = text.replace(/"v":\d+/, `"v":${protocolVersion + 1}`)
    expect(altered).not.toBe(text)
    return altered
  }
  const sentence = new RegExp(`on the NATS server was written by a newer mlds: protocol ${protocolVersion + 1} \\(`)

  it('is refused in a sentence, and is not written over', async () => {
    const { folder } = unpack('remote')
    const server = await startNatsServer(join(folder, 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const connection = await connectNats(server.url, 'test')
    onTestFinished(() => connection.close())
    const names = namesOf('mlds')
    const broker: OrchestratorBroker = await openBroker(connection, names, { leaseMs: 3_000 })
    const rewrite = async (bucket: 'sweeps' | 'controls', sweep: string): Promise<() => Promise<void>> => {
      const key = sweepToken(sweep)
      const text = newer((await broker[bucket].get(key))!.string())
      const revision = await broker[bucket].put(key, text)
      return async () => expect((await broker[bucket].get(key))!.revision, `${bucket}, ${sweep}`).toBe(revision)
    }
    const nats = ['--nats', server.url]
    const refuse = async (...commands: string[][]): Promise<void> => {
      const answers = await inOneProcess(
        commands.map((command) => [...command, ...nats]),
        folder,
      )
      answers.forEach((answer, i) => expectRefused(answer, sentence, commands[i]!.join(' ')))
    }

    // A result: it is neither taken for none nor run again.
    const [run] = await runsOf(broker.jsm, names.results, names.result({ sweep: sweepToken('waiting') }))
    const lastOf = async (stream: string, subject: string) =>
      (await broker.jsm.direct.getMessage(stream, { last_by_subj: subject }))!
    const text = newer((await lastOf(names.results, names.result(run!))).string())
    await broker.jsm.streams.purge(names.results, { filter: names.result(run!) })
    await broker.publisher.publish(names.result(run!), text)
    await refuse(['resume', 'waiting', '--store', 'a'], ['nats', 'prune', '--yes'])

    const controlIsKept = await rewrite('controls', 'paused')
    await refuse(
      ['pause', 'paused', '--store', 'a'],
      ['resume', 'paused', '--store', 'a'],
      ['status', 'paused', '--store', 'a'],
    )
    await controlIsKept()

    // An attempt that runs, as far as the server knows.
    const half = { sweep: sweepToken('half') }
    const ended = (await runsOf(broker.jsm, names.results, names.result(half))).map(({ trial }) => trial)
    const attempt = (await runsOf(broker.jsm, names.attempts, names.attempt(half))).find(
      ({ trial }) => !ended.includes(trial),
    )
    const begun = await lastOf(names.attempts, names.attempt(attempt!))
    await broker.publisher.publish(names.attempt(attempt!), newer(begun.string()))
    const { seq } = await lastOf(names.attempts, names.attempt(attempt!))
    await refuse(['status', 'half', '--store', 'a'])
    expect((await lastOf(names.attempts, names.attempt(attempt!))).seq).toBe(seq)

    const sweepIsKept = await rewrite('sweeps', 'half')
    await refuse(
      ['resume', 'half', '--store', 'a'],
      ['resume', 'half', '--store', 'elsewhere', '--experiment', 'hold.yaml'],
      ['status', 'half', '--store', 'elsewhere'],
      ['nats', 'prune', '--yes'],
    )
    await sweepIsKept()
    expect(await runsOf(broker.jsm, names.results, names.result({ sweep: sweepToken('done') }))).toHaveLength(8)

    const claim = { v: protocolVersion + 1, sweep: 'cancelled', claimed: true }
    const revision = await broker.leases.put(sweepToken('cancelled'), JSON.stringify(claim))
    await refuse(['resume', 'cancelled', '--store', 'a'])
    expect((await broker.leases.get(sweepToken('cancelled')))!.revision).toBe(revision)
  })
})

describe.skipIf(!hasMlflow)('what a newer mlds brought to MLflow', () => {
  it('is refused in a sentence by every command that reads it, and stays as it is', async () => {
    const { folder, complete } = unpack('tracked')
    const server = await startMlflow({ folder })
    onTestFinished(() => server.kill())
    const client = new MlflowClient(mlflowSettings(server.url, {}))
    const id = complete[0]!
    const { parent } = await readTrackedSweep(client, id)
    const manifest = JSON.parse(Buffer.from(await client.getArtifact(parent, manifestPath)).toString()) as object
    const newer = Buffer.from(JSON.stringify({ ...manifest, format: manifestFormat + 1, codeVersion: '9.9.9' }))
    await client.putArtifact(parent, manifestPath, newer)
    const from = ['--from', server.url, '--sweep', id]
    const commands = [
      ['figure', ...from, '--output', 'figures'],
      ['report', ...from],
      ['recover', id, '--from', server.url, '--store', 'elsewhere'],
    ]
    const sentence = new RegExp(
      `sweep ${id} in MLflow was written by a newer mlds: manifest format ${manifestFormat + 1} \\(this one reads up to ${manifestFormat}\\)\n  update mlds to at least 9\\.9\\.9`,
    )
    const answers = await inOneProcess(commands, folder)
    answers.forEach((answer, i) => expectRefused(answer, sentence, commands[i]!.join(' ')))
    expect(Buffer.from(await client.getArtifact(parent, manifestPath))).toEqual(newer)
    expect(existsSync(join(folder, 'figures'))).toBe(false)
    expect(readdirSync(join(folder, 'elsewhere/sweeps'))).toEqual([])
  })
})

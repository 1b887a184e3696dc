import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Parser } from '@oclif/core'
import { describe, expect, it } from 'vitest'
import WorkerStart from '../../src/commands/worker/start.js'
import { temporaryFolder } from '../helpers/cli.js'

const repository = join(import.meta.dirname, '..', '..')
const docs = readFileSync(join(repository, 'docs', 'fleet.md'), 'utf8')
/** The only block of that language in docs/fleet.md. */
const block = (language: string): string => {
  const [found, ...others] = [...docs.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))]
  expect(others).toEqual([])
  return found![1]!
}
const valueOf = (unit: string, key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)![1]!
const flagsOf = async (line: string): Promise<Record<string, unknown>> => {
  const words = line.split(' ')
  expect(words.slice(0, 2)).toEqual(['worker', 'start'])
  return (
    await Parser.parse(words.slice(2), { flags: { ...WorkerStart.baseFlags, ...WorkerStart.flags }, strict: true })
  ).flags
}

describe('the systemd unit of docs/fleet.md', () => {
  const unit = block('ini')

  it('starts a worker by words that it knows, and waits for longer than its grace', async () => {
    const [node, program, ...words] = valueOf(unit, 'ExecStart').split(' ')
    expect(node).toBe('/usr/bin/node')
    expect(existsSync(join(repository, program!.replace('/opt/mlds/node_modules/mlds/', '')))).toBe(true)
    const { grace } = await flagsOf(words.join(' '))
    expect(Number(valueOf(unit, 'TimeoutStopSec'))).toBeGreaterThan(Number(grace))
  })

  const isThere = spawnSync('systemd-analyze', ['--version']).error === undefined
  if (!isThere) console.warn('The systemd unit is not verified: there is no systemd-analyze.')
  it.skipIf(!isThere)('is one that systemd takes without a word', () => {
    const file = join(temporaryFolder(), 'mlds-worker@1.service')
    // Programs that are there: only the unit itself is in question.
    writeFileSync(file, unit.replace(/^ExecStart=\S+ \S+/m, `ExecStart=${process.execPath} ${import.meta.filename}`))
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('mlds-worker'))
    expect([status, said]).toEqual([0, []])
  })
})

describe('the image of docs/fleet.md', () => {
  const image = block('dockerfile')
  const entry = (key: string): string[] =>
    JSON.parse(new RegExp(`^${key} (\\[.*\\])$`, 'm').exec(image)![1]!) as string[]

  it('starts what the package has, as a user who is nobody, below a process that collects what trials leave', async () => {
    const [tini, dashes, node, program] = entry('ENTRYPOINT')
    expect([tini, dashes, node]).toEqual(['tini', '--', 'node'])
    expect(existsSync(join(repository, program!.replace('/app/node_modules/mlds/', '')))).toBe(true)
    await flagsOf(entry('CMD').join(' '))
    expect(image.indexOf('USER node')).toBeGreaterThan(image.indexOf('RUN npm install'))
  })

  it('has the name of the tarball that npm pack makes now, and a Node that mlds runs on', () => {
    const { name, version, engines } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      name: string
      version: string
      engines: { node: string }
    }
    expect(image.match(/\S+\.tgz/g)!.map((path) => path.replace('./', ''))).toEqual(
      image.match(/\S+\.tgz/g)!.map(() => `${name}-${version}.tgz`),
    )
    expect(Number(/^FROM node:(\d+)-bookworm/m.exec(image)![1])).toBeGreaterThanOrEqual(
      Number(/\d+/.exec(engines.node)![0]),
    )
  })

  it('is started under Apptainer with words that a worker knows', async () => {
    const line = /`apptainer run [^`]* docker:\/\/IMAGE ([^`]*)`/.exec(docs)![1]!
    expect(await flagsOf(line)).toMatchObject({ 'time-limit': expect.anything() as unknown, 'idle-timeout': 600_000 })
  })
})

import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import { changeNote, changeTags } from '../../app/annotate.js'
import { targetOf, type NatsTarget } from '../../app/backends/nats-target.js'
import { drainChosen } from '../../app/drain.js'
import { haltSweep, unpause } from '../../app/halt.js'
import type { Clock } from '../../core/clock.js'
import { MldsError, UnknownNameError } from '../../core/errors.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { holderHere } from '../../system/lock.js'
import type { ActionAnswer } from '../wire.js'

/** A note of 20,000 characters, each of six bytes at most as JSON writes it. */
const maxBodyBytes = 130_000

const action = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('note'), note: z.string() }),
  z.strictObject({ do: z.literal('tag'), tag: z.string() }),
  z.strictObject({ do: z.literal('untag'), tag: z.string() }),
  z.strictObject({ do: z.literal('pause') }),
  z.strictObject({ do: z.literal('resume') }),
  z.strictObject({ do: z.literal('cancel') }),
  z.strictObject({ do: z.literal('drain'), worker: z.string() }),
])
export type Action = z.infer<typeof action>

/** What a page asks to be done. @throws MldsError for anything else. */
export async function readAction(request: IncomingMessage): Promise<Action> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBodyBytes) throw new MldsError('ACTION', `what is to be done takes more than ${maxBodyBytes} bytes`)
    chunks.push(chunk)
  }
  let asked: unknown
  try {
    asked = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    asked = undefined
  }
  const read = action.safeParse(asked)
  if (read.success) return read.data
  throw new MldsError(
    'ACTION',
    'no action of the dashboard: note, tag, untag, pause, resume, cancel and drain are right',
  )
}

/** Does it to a sweep, and says in a sentence what came of it. @throws MldsError when it can't be done. */
export async function act(sweep: SweepFolder, asked: Action, clock: Clock): Promise<ActionAnswer> {
  switch (asked.do) {
    case 'note':
      await changeNote(sweep, asked.note)
      return { told: 'The note is kept.' }
    case 'tag':
      await changeTags(sweep, { add: [asked.tag] })
      return { told: `Tagged: ${asked.tag}` }
    case 'untag':
      await changeTags(sweep, { remove: [asked.tag] })
      return { told: `No longer tagged: ${asked.tag}` }
    case 'pause':
      return { told: await pause(sweep) }
    case 'resume':
      return { told: await resume(sweep) }
    case 'cancel':
      return { told: await cancel(sweep) }
    case 'drain':
      return { told: await drain(sweep, asked.worker, clock) }
  }
}

const serverOf = (sweep: SweepFolder): NatsTarget | undefined => targetOf({ tenant: 'mlds' }, sweep)

async function pause(sweep: SweepFolder): Promise<string> {
  const target = serverOf(sweep)
  if (target !== undefined) {
    const { orchestrator } = await haltSweep(target, sweep.id, 'pause')
    return orchestrator === undefined
      ? `Paused; no process runs it now. To go on: mlds resume ${sweep.id}`
      : `Paused: what runs goes on to its end, and ${orchestrator} waits to be resumed.`
  }
  const pid = holderHere(sweep.lockFile)
  if (pid === undefined)
    throw new MldsError('ACTION', 'no process of this host runs the sweep: there is nothing to pause')
  process.kill(pid, 'SIGINT')
  return `Process ${pid} lets what runs finish, then ends. To go on: mlds resume ${sweep.id}`
}

async function resume(sweep: SweepFolder): Promise<string> {
  const target = serverOf(sweep)
  const orchestrator = target === undefined ? undefined : await unpause(target, sweep.id)
  if (orchestrator !== undefined) return `It goes on: ${orchestrator} runs it.`
  throw new MldsError('ACTION', `no process waits to go on with it; start one with: mlds resume ${sweep.id}`)
}

async function cancel(sweep: SweepFolder): Promise<string> {
  const target = serverOf(sweep)
  if (target === undefined)
    throw new MldsError(
      'ACTION',
      'the sweep runs on the threads of a process, which a pause lets end; only one on NATS is cancelled',
    )
  const { orchestrator } = await haltSweep(target, sweep.id, 'cancel')
  return `Cancelled: what runs is given up${orchestrator === undefined ? '' : `, and ${orchestrator} ends`}; results that are there stay.`
}

async function drain(sweep: SweepFolder, worker: string, clock: Clock): Promise<string> {
  const target = serverOf(sweep)
  if (target === undefined)
    throw new MldsError('ACTION', 'the sweep has no workers of its own: it runs on the threads of a process')
  const choose = (there: readonly string[]): readonly string[] => {
    if (!there.includes(worker)) throw new UnknownNameError('worker', worker, there)
    return [worker]
  }
  const { told } = await drainChosen(target, choose, clock)
  return told.length === 0
    ? `${worker} did not answer: it is gone, or of a version that can't be told`
    : `${worker} takes no more trials and ends with what runs.`
}

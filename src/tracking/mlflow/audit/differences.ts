import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { lookUp } from '../../../core/names.js'
import { readOutcome } from '../../../core/divergence.js'
import type { MlflowClient } from '../rest/client.js'
import { isLater, latestOf } from '../projection/latest.js'
import { MlflowError } from '../rest/mlflow-error.js'
import { metricsTag, readingTags, standingTag, type ProjectedRun, type RunFile } from '../projection/projection.js'
import { pointKey, type Run, type Tags } from '../rest/wire.js'

/** One thing that a run on a server has otherwise than it should. */
export interface Difference {
  /** Such as `its status is RUNNING, not FINISHED`. */
  readonly what: string
  /** True of what MLflow lets nobody change: the run has to be made anew. */
  readonly isFixed?: true
  /** A tag that has to be taken away. */
  readonly falseTag?: string
}

/** Who brought it, words for people, and what a later version may word otherwise: no facts of the sweep. */
const unweighed = new Set([
  ...['mlflow.user', 'mlflow.source.name', 'mlflow.source.type', 'mlflow.note.content'],
  ...['mlds.group', 'mlds.code_version', 'mlds.plan_hash', 'mlds.spec_hash'],
])
/** Runs of earlier versions are without them. */
const mayBeMissing = new Set(['mlds.objective', standingTag, metricsTag])

/**
 * What a search result tells of a run otherwise than the journal: status, end, tags, parameters, each metric's latest
 * point. What somebody else added to the run is no difference unless readers go by it, and neither are parameters that it lacks (`missingParams`).
 */
export function differences(held: Run, wanted: ProjectedRun): Difference[] {
  const lacks = (name: string, is: unknown, should: unknown): Difference[] =>
    is === should ? [] : [{ what: `its ${name} is ${inWords(is)}, not ${inWords(should)}` }]
  return [
    ...lacks('status', held.status, wanted.status),
    ...lacks('end', isoTime(held.endMs), isoTime(wanted.endMs)),
    ...Object.entries(wanted.tags).flatMap(([tag, value]) => {
      const is = lookUp(held.tags, tag)
      if (is === undefined && mayBeMissing.has(tag)) return []
      if (unweighed.has(tag) || (tag === 'mlds.outcome' ? isSameOutcome(is, value) : is === value)) return []
      return [{ what: is === undefined ? `its tag ${tag} is missing` : `its tag ${tag} is another` }]
    }),
    ...readingTags.flatMap((tag) =>
      tag in held.tags && !(tag in wanted.tags) ? [{ what: `its tag ${tag} is none of its own`, falseTag: tag }] : [],
    ),
    ...Object.entries(wanted.params).flatMap(([name, value]) => {
      const is = lookUp(held.params, name)
      return is === undefined || is === value
        ? []
        : [{ what: `its parameter ${name} is ${inWords(is)}, not ${inWords(value)}`, isFixed: true as const }]
    }),
    ...[...latestOf(wanted.points)].flatMap(([key, point]) => {
      const is = held.latest.get(key)
      if (is === undefined) return [{ what: `its metric ${key} is missing` }]
      if (pointKey(is) === pointKey(point)) return []
      const what = `the latest ${key} is ${is.value} at step ${is.step}, not ${point.value} at step ${point.step}`
      // A program may go on where its last report was.
      if (wanted.isShared === true && isLater(is, point)) return []
      return [isLater(is, point) ? { what, isFixed: true as const } : { what }]
    }),
  ]
}

/** Parameters that the run should have and lacks. */
export function missingParams(held: Run, { params }: Pick<ProjectedRun, 'params'>): Tags {
  return Object.fromEntries(Object.entries(params).filter(([name]) => !Object.hasOwn(held.params, name)))
}

/** The same for what costs requests: every point of the metrics that the run should have, and every file by its bytes. */
export async function deepDifferences(client: MlflowClient, held: Run, wanted: ProjectedRun): Promise<Difference[]> {
  return [...(await pointDifferences(client, held, wanted)), ...(await fileDifferences(client, held, wanted.files))]
}

async function pointDifferences(
  client: MlflowClient,
  held: Run,
  { points, isShared }: ProjectedRun,
): Promise<Difference[]> {
  const found: Difference[] = []
  for (const key of new Set(points.map((point) => point.key))) {
    const should = new Set(points.filter((point) => point.key === key).map(pointKey))
    const is = new Set((await client.history(held.id, key)).map(pointKey))
    const missing = [...should].filter((point) => !is.has(point)).length
    const foreign = [...is].filter((point) => !should.has(point)).length
    if (missing > 0) found.push({ what: `${missing} of ${should.size} points of ${key} are missing` })
    // MLflow can take no point back.
    if (foreign > 0 && isShared !== true)
      found.push({ what: `${foreign} points of ${key} are none of its own`, isFixed: true })
  }
  return found
}

async function fileDifferences(client: MlflowClient, held: Run, files: readonly RunFile[]): Promise<Difference[]> {
  const found: Difference[] = []
  for (const { path, read } of files) {
    const bytes = await read()
    if (bytes === undefined || bytes.length === 0) continue
    const problem = await fileProblem(client, held, path, sha256(bytes))
    if (problem !== undefined) found.push({ what: problem })
  }
  return found
}

/** What is wrong with a run's file: that it is not there, or has other bytes than those of this hash. */
export async function fileProblem(
  client: MlflowClient,
  run: Pick<Run, 'artifactUri'>,
  path: string,
  hash: string,
): Promise<string | undefined> {
  try {
    return sha256(await client.getArtifact(run, path)) === hash ? undefined : `its file ${path} is another`
  } catch (error) {
    if (error instanceof MlflowError && error.status === 404) return `its file ${path} is missing`
    throw error
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Earlier versions called a divergence a failure. */
function isSameOutcome(a: string | undefined, b: string): boolean {
  if (a === undefined || a === b) return a === b
  try {
    return isDeepStrictEqual(readOutcome(JSON.parse(a) as { state: string }), JSON.parse(b))
  } catch {
    // It is none at all.
    return false
  }
}

const isoTime = (atMs: number | undefined): string => (atMs === undefined ? 'missing' : new Date(atMs).toISOString())
const inWords = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : String(value))

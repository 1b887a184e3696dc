import { lookUp } from '../../../core/names.js'
import type { Artifacts } from '../../../core/trial.js'
import { readStanding } from './contents.js'
import type { Finding } from './finding.js'
import type { MlflowClient } from '../rest/client.js'
import { fileProblem } from './differences.js'
import { MlflowError } from '../rest/mlflow-error.js'
import { isCheckpoint, manifestPath, savedPath } from '../projection/projection.js'
import { readEnding } from '../projection/ending.js'
import { readManifest, readTrackedSweep, type TrackedSweep } from '../projection/read-sweep.js'
import { notePath, shortenNote } from '../projection/story.js'
import type { Run } from '../rest/wire.js'

/** SHA-256 over the records of a sweep as it was read. */
export type DigestOf = (tracked: TrackedSweep) => string

/** What of the files and the note that a parent run was given is not there any more, or other than its manifest says. */
export async function lookAtStory(client: MlflowClient, parent: Run): Promise<Finding[]> {
  const manifest = await readManifest(client, parent)
  const what: string[] = []
  if (manifest === undefined && readStanding(parent) !== undefined) what.push(`its file ${manifestPath} is missing`)
  for (const [path, hash] of Object.entries((manifest?.['files'] ?? {}) as Record<string, string>)) {
    const problem = await fileProblem(client, parent, path, hash)
    if (problem !== undefined) what.push(problem)
    else if (path === notePath) {
      const note = Buffer.from(await client.getArtifact(parent, path)).toString()
      if (parent.tags['mlflow.note.content'] !== shortenNote(note)) what.push('its note is another')
    }
  }
  return what.length === 0 ? [] : [{ kind: 'differs', run: parent, what }]
}

/** The same for what its trials reported and saved, where no journal says what that was. */
export async function lookAtTrials(
  client: MlflowClient,
  parent: Run,
  children: readonly Run[],
  digestOf: DigestOf,
): Promise<Finding[]> {
  const found: Finding[] = []
  for (const run of children) {
    const what = await lookAtSaved(client, run)
    if (what.length > 0) found.push({ kind: 'differs', run, what })
  }
  const problem = await recordsProblem(client, parent, digestOf)
  return problem === undefined ? found : [...found, { kind: 'differs', run: parent, what: [problem] }]
}

async function recordsProblem(client: MlflowClient, parent: Run, digestOf: DigestOf): Promise<string | undefined> {
  try {
    const tracked = await readTrackedSweep(client, parent.id)
    return tracked.recordsDigest === undefined || tracked.recordsDigest === digestOf(tracked)
      ? undefined
      : 'what its trials reported is not what was sent'
  } catch (error) {
    if (error instanceof MlflowError && error.status !== 404) throw error
    return `its trials can’t be read: ${(error as Error).message}`
  }
}

async function lookAtSaved(client: MlflowClient, run: Run): Promise<string[]> {
  const what: string[] = []
  for (const [name, { sha256 }] of Object.entries(savedBy(run))) {
    const problem = await fileProblem(client, run, savedPath(name), sha256)
    // Checkpoints are sent only to who asks for them.
    if (problem !== undefined && !(isCheckpoint(name) && problem.endsWith('missing'))) what.push(problem)
  }
  return what
}

function savedBy({ tags }: Run): Artifacts {
  const ending = readEnding(lookUp(tags, 'mlds.outcome') ?? '')
  return ending !== undefined && 'artifacts' in ending ? ending.artifacts : {}
}

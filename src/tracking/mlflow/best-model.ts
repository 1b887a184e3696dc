import { createHash } from 'node:crypto'
import type { Attempt } from './projection/attempts.js'
import { isCheckpoint, savedPath, type ProjectionSources, type SweepProjection } from './projection/projection.js'
import type { MlflowClient } from './rest/client.js'
import type { LoggedModel } from './rest/models.js'

/** Names the model for ever: its sweep, trial and attempt. */
const keyTag = 'mlds.model_key'
const sweepTag = 'mlds.sweep_key'
/** `true` on the model of the trial that is the best now, `false` on those that were. */
const bestTag = 'mlds.best'

/** MLflow's table of a model's parameters holds no more of a value. */
const maxParamLength = 500

interface BestTrial {
  readonly attempt: Attempt
  readonly run: string
}

/**
 * Keeps the checkpoints of the best trial as a model that MLflow lists. Earlier ones stay, since somebody may use them, and say that
 * they are not the best any more. A server that knows no models gets none.
 */
export async function keepBestModel(
  client: MlflowClient,
  experimentId: string,
  projection: SweepProjection,
  best: BestTrial | undefined,
  readArtifact: NonNullable<ProjectionSources['readArtifact']>,
): Promise<void> {
  // Servers before version 3 do not say what their store is.
  if ((await client.storeType()) === 'unknown') return
  const known = await client.models.find(experimentId, sweepTag, projection.sweepKey)
  const files = best === undefined ? [] : await checkpointsOf(best.attempt, readArtifact)
  const key = best === undefined || files.length === 0 ? undefined : projection.childKey(best.attempt)
  for (const { id, tags } of known)
    if (tags[keyTag] !== key && tags[bestTag] === 'true') await client.models.setTags(id, { [bestTag]: 'false' })
  if (best === undefined || key === undefined) return
  const same = known.filter(({ tags }) => tags[keyTag] === key)
  const held = same.find(({ isReady }) => isReady) ?? same[0]
  // A request that arrived twice made another, of which nobody knows.
  for (const model of same) if (model !== held && !model.isReady) await client.models.delete(model.id)
  if (held?.isReady !== true) return makeModel(client, experimentId, projection, best, files, key, held)
  if (held.tags[bestTag] !== 'true') await client.models.setTags(held.id, { [bestTag]: 'true' })
}

interface Checkpoint {
  readonly name: string
  readonly path: string
  readonly bytes: Uint8Array
}

async function checkpointsOf(
  { end }: Attempt,
  readArtifact: NonNullable<ProjectionSources['readArtifact']>,
): Promise<Checkpoint[]> {
  const artifacts = end !== undefined && 'artifacts' in end.outcome ? Object.entries(end.outcome.artifacts) : []
  const found: Checkpoint[] = []
  for (const [name, artifact] of artifacts) {
    const bytes = isCheckpoint(name) ? await readArtifact(artifact) : undefined
    if (bytes !== undefined) found.push({ name, path: savedPath(name), bytes })
  }
  return found
}

async function makeModel(
  client: MlflowClient,
  experimentId: string,
  projection: SweepProjection,
  { attempt, run }: BestTrial,
  files: readonly Checkpoint[],
  key: string,
  begun: LoggedModel | undefined,
): Promise<void> {
  const { params, name } = projection.child(attempt, '')
  const { sweep } = projection.info
  const made = {
    name: `best of ${sweep}`.replaceAll(/[/:.%"'\p{Cc}]/gu, '_').slice(0, 200),
    run,
    params: Object.fromEntries(Object.entries(params).map(([each, value]) => [each, value.slice(0, maxParamLength)])),
    tags: {
      ...{ [keyTag]: key, [sweepTag]: projection.sweepKey, [bestTag]: 'true' },
      ...{ 'mlds.sweep': sweep, 'mlds.trial': attempt.trial.id, 'mlds.run_name': name },
    },
  }
  const model = begun ?? (await client.models.create(experimentId, made, keyTag))
  for (const { path, bytes } of files) await client.putArtifact(model, path, bytes)
  await client.putArtifact(model, 'MLmodel', describeModel(attempt, files, model.id, run))
  await client.models.finish(model.id, run)
}

/** MLflow's file on a model: with a flavour of ours alone, since nobody but who trained it knows how to run these weights. */
function describeModel({ trial, end }: Attempt, files: readonly Checkpoint[], id: string, run: string): Uint8Array {
  const { experiment, version, stage } = trial
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const told = files.map(({ name, path, bytes }) => ({ name, path, sha256: sha256(bytes) }))
  const described = {
    artifact_path: `models:/${id}`,
    flavors: { mlds: { experiment, version, stage, trial: trial.id, files: told } },
    model_id: id,
    run_id: run,
    utc_time_created: new Date(end?.atMs ?? 0).toISOString().replace('T', ' ').replace('Z', '000'),
  }
  return Buffer.from(`${JSON.stringify(described, null, 1)}\n`)
}

import { MlflowError, isUniqueViolation } from './mlflow-error.js'
import type { MlflowTransport } from './transport.js'
import { pairs, type Tags } from './wire.js'

/** A model as MLflow 3 logs it: beside runs, in the same experiment. */
export interface LoggedModel {
  /** `m-` and 32 hexadecimal digits. */
  readonly id: string
  readonly artifactUri: string
  readonly tags: Tags
  /** False until its files are there. */
  readonly isReady: boolean
}

interface NewModel {
  /** Without `/ : . % " '`. */
  readonly name: string
  /** The run that made it. */
  readonly run: string
  readonly params: Tags
  readonly tags: Tags
}

interface WireModel {
  readonly info: {
    readonly model_id: string
    readonly artifact_uri: string
    readonly status: string
    readonly tags?: readonly { readonly key: string; readonly value: string }[]
  }
}

/** MLflow's logged models: of version 3 and later. */
export class LoggedModels {
  constructor(private readonly transport: MlflowTransport) {}

  /** All whose tag `key` is `value`. */
  async find(experimentId: string, key: string, value: string): Promise<LoggedModel[]> {
    const found: LoggedModel[] = []
    let pageToken: string | undefined
    do {
      const page = await this.transport.call<ModelPage>('POST', 'logged-models/search', {
        experiment_ids: [experimentId],
        filter: `tags.\`${key}\` = '${value.replaceAll("'", "\\'")}'`,
        max_results: 50,
        ...(pageToken && { page_token: pageToken }),
      })
      for (const model of page.models ?? []) found.push(decodeModel(model))
      pageToken = page.next_page_token
    } while (pageToken !== undefined && pageToken !== '')
    return found
  }

  /** Makes the model that the value of its tag `key` names, once: after a failure it is looked for first. */
  async create(experimentId: string, model: NewModel, key: string): Promise<LoggedModel> {
    const { name, run, params, tags } = model
    const body = { experiment_id: experimentId, name, source_run_id: run, params: pairs(params), tags: pairs(tags) }
    let inDoubt = false
    return this.transport.patiently(async () => {
      const [made] = inDoubt ? await this.find(experimentId, key, tags[key]!) : []
      inDoubt = true
      return made ?? decodeModel((await this.transport.once<{ model: WireModel }>('POST', 'logged-models', body)).model)
    })
  }

  /** Its files are there: its run names it as what came out. */
  async finish(id: string, run: string): Promise<void> {
    const outputs = { run_id: run, models: [{ model_id: id, step: 0 }] }
    await this.transport.call('POST', 'runs/outputs', outputs).catch((error: unknown) => {
      // A database refuses what it has already.
      if (!(error instanceof MlflowError) || !isUniqueViolation(error)) throw error
    })
    const ready = { model_id: id, status: 'LOGGED_MODEL_READY' }
    await this.transport.call('PATCH', `logged-models/${encodeURIComponent(id)}`, ready)
  }

  async delete(id: string): Promise<void> {
    await this.transport.call('DELETE', `logged-models/${encodeURIComponent(id)}`).catch((error: unknown) => {
      if (!(error instanceof MlflowError) || error.mlflowCode !== 'RESOURCE_DOES_NOT_EXIST') throw error
    })
  }

  async setTags(id: string, tags: Tags): Promise<void> {
    const body = { model_id: id, tags: pairs(tags) }
    await this.transport.call('PATCH', `logged-models/${encodeURIComponent(id)}/tags`, body)
  }
}

interface ModelPage {
  readonly models?: readonly WireModel[]
  readonly next_page_token?: string
}

function decodeModel({ info }: WireModel): LoggedModel {
  const { model_id: id, artifact_uri: artifactUri, status, tags = [] } = info
  return {
    ...{ id, artifactUri },
    tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    isReady: status === 'LOGGED_MODEL_READY',
  }
}

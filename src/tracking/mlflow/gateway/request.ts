import { isOwnTag, ownFiles } from '../projection/projection.js'

/** A run that a trial's program may log to. */
export interface ProgramRun {
  /** MLflow's id. */
  readonly run: string
  readonly experiment: string
  /** Such as `mlflow-artifacts:/1/<run>/artifacts`. */
  readonly artifactUri: string
  /** Parameters that mlds logs itself. */
  readonly params: ReadonlySet<string>
}

/** What a program asks. */
export interface ProgramRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** Parsed JSON; undefined where there is none. */
  readonly body: Readonly<Record<string, unknown>> | undefined
}

/** What becomes of a request, with MLflow's own id in the place of the alias. */
export type Handling =
  /** Goes on to API 2.0, with this body. */
  | {
      readonly kind: 'ask'
      readonly method: 'GET' | 'POST' | 'PATCH'
      readonly path: string
      readonly body?: unknown
      /** Never repeated: twice would make two. */
      readonly isOnce?: true
    }
  /** As above, and the program gets `pick` of the answer. */
  | { readonly kind: 'run'; readonly pick: (run: { readonly info: unknown }) => unknown }
  | { readonly kind: 'answer'; readonly body: unknown }
  /** The bytes of an artifact, which lies below the server's root at `path`. */
  | { readonly kind: 'artifact'; readonly path: string }
  /** Only where `model` is one of this run's. */
  | { readonly kind: 'model'; readonly model: string; readonly then: Handling }
  | { readonly kind: 'refuse'; readonly message: string }

const api = '/api/2.0/mlflow/'
const artifacts = '/api/2.0/mlflow-artifacts/artifacts'

/** Writes that carry the id of the run in their body. */
const writes = new Set(
  ['log-batch', 'log-metric', 'log-parameter', 'log-inputs', 'outputs', 'log-model', 'set-tag', 'delete-tag'].map(
    (name) => `runs/${name}`,
  ),
)

/**
 * What of MLflow's API a program may ask for: its own run, the experiment that this is in, and models of it. Names, status and
 * end of the run, its parameters and tags of mlds stay as mlds has them: what a program says of those is passed over.
 */
export function handle(request: ProgramRequest, own: ProgramRun): Handling {
  const { method, path, query, body = {} } = request
  if (path.startsWith(artifacts)) return handleArtifact(request, own)
  if (!path.startsWith(api)) return refuse(request)
  const name = path.slice(api.length)
  const call = `${method} ${name}`
  // Whatever experiment it means: its run is in one already.
  if (call === 'GET experiments/get' || call === 'GET experiments/get-by-name')
    return { kind: 'ask', method: 'GET', path: `experiments/get?experiment_id=${own.experiment}` }
  if (call === 'POST experiments/create') return { kind: 'answer', body: { experiment_id: own.experiment } }
  if (call === 'POST runs/create') return isNested(body) ? refuse(request) : { kind: 'run', pick: (run) => ({ run }) }
  if (name.startsWith('logged-models')) return handleModel(request, name, own)

  const named = method === 'GET' ? query.get('run_id') : (body['run_id'] ?? body['run_uuid'])
  if (named !== own.run) return refuse(request)
  if (call === 'GET runs/get') return { kind: 'run', pick: (run) => ({ run }) }
  if (call === 'POST runs/update') return { kind: 'run', pick: ({ info }) => ({ run_info: info }) }
  if (call === 'GET metrics/get-history' || call === 'GET artifacts/list')
    return { kind: 'ask', method: 'GET', path: `${name}?${query.toString()}` }
  if (method !== 'POST' || !writes.has(name)) return refuse(request)
  return withoutOurs(name, body, own)
}

/** A write without parameters and tags that are mlds'. */
function withoutOurs(name: string, body: Readonly<Record<string, unknown>>, { params }: ProgramRun): Handling {
  const isOurs = (kind: 'params' | 'tags', key: unknown): boolean =>
    typeof key !== 'string' || (kind === 'params' ? params.has(key) : isOwnTag(key))
  const kind = name === 'runs/log-parameter' ? 'params' : name.endsWith('-tag') ? 'tags' : undefined
  if (kind !== undefined && isOurs(kind, body['key'])) return { kind: 'answer', body: {} }
  if (name !== 'runs/log-batch') return { kind: 'ask', method: 'POST', path: name, body }
  const theirs = (items: 'params' | 'tags'): unknown[] =>
    asList(body[items]).filter((item) => !isOurs(items, (item as { key?: unknown } | null)?.key))
  return { kind: 'ask', method: 'POST', path: name, body: { ...body, params: theirs('params'), tags: theirs('tags') } }
}

function handleModel(request: ProgramRequest, name: string, own: ProgramRun): Handling {
  const { method, query, body } = request
  if (name === 'logged-models' && method === 'POST') {
    const made = { ...body, experiment_id: own.experiment, source_run_id: own.run }
    return { kind: 'ask', method, path: name, body: made, isOnce: true }
  }
  const model = /^logged-models\/(m-[0-9a-f]{32})(?:\/|$)/.exec(name)?.[1]
  if (model === undefined || !isMethod(method)) return refuse(request)
  const asked = query.size === 0 ? name : `${name}?${query.toString()}`
  return { kind: 'model', model, then: { kind: 'ask', method, path: asked, ...(body !== undefined && { body }) } }
}

const isMethod = (method: string): method is 'GET' | 'POST' | 'PATCH' => ['GET', 'POST', 'PATCH'].includes(method)

function handleArtifact(request: ProgramRequest, own: ProgramRun): Handling {
  const { method, path, query } = request
  const below = path.slice(artifacts.length + 1)
  const isList = below === '' && method === 'GET'
  const place = isList ? (query.get('path') ?? '') : decodePath(below)
  if (place === undefined || place.split('/').some((part) => part === '..' || part === '.')) return refuse(request)
  const root = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(own.artifactUri)?.[1]
  const model = new RegExp(`^${own.experiment}/models/(m-[0-9a-f]{32})/`).exec(`${place}/`)?.[1]
  const isIn = root !== undefined && `${place}/`.startsWith(`${root}/`)
  if (!isIn && model === undefined) return refuse(request)
  if (isIn && method === 'PUT' && ownFiles.test(place.slice(root.length + 1)))
    return {
      kind: 'refuse',
      message: `${place.slice(root.length + 1)} is a file of mlds in this run: choose another name`,
    }
  if (method !== 'PUT' && method !== 'GET') return refuse(request)
  const target = isList ? `${artifacts}?${query.toString()}` : path
  const then: Handling = { kind: 'artifact', path: target }
  return isIn ? then : { kind: 'model', model: model!, then }
}

function decodePath(path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

function isNested(body: Readonly<Record<string, unknown>>): boolean {
  return asList(body['tags']).some((tag) => (tag as { key?: unknown } | null)?.key === 'mlflow.parentRunId')
}

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const refuse = ({ method, path }: ProgramRequest): Handling => ({
  kind: 'refuse',
  message: `a trial's program may log to its own run, and to no other or nested one (${method} ${path})`,
})

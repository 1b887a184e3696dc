import { createReadStream, existsSync, openSync, closeSync, readSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileProblem, SpecError } from '../../../core/errors.js'
import { groupBy } from '../../../core/group-by.js'
import { isMapping } from '../../../core/is-mapping.js'
import type { ParamValue } from '../../../core/trial.js'

export interface OptunaStudy {
  readonly name: string
  readonly directions: readonly ('minimize' | 'maximize')[]
  readonly trials: readonly OptunaTrial[]
}

export interface OptunaTrial {
  readonly state: string
  readonly values: readonly number[]
  readonly params: ReadonlyMap<string, OptunaParam>
}

export interface OptunaParam {
  readonly value: ParamValue
  /** As Optuna writes it: `{name, attributes}`. */
  readonly distribution: unknown
}

const maxBytes = 2 ** 31

/**
 * The studies of a storage of Optuna: a SQLite file, or the file of its journal storage.
 * @throws SpecError for a file that is neither, or of another version.
 */
export async function readOptunaStorage(file: string): Promise<OptunaStudy[]> {
  let head: string
  try {
    const { size } = statSync(file)
    if (size > maxBytes) throw new SpecError(file, `it has ${size} bytes (at most ${maxBytes})`)
    head = beginOf(file)
  } catch (error) {
    if (error instanceof SpecError) throw error
    throw new SpecError(file, fileProblem(error), { cause: error })
  }
  if (head.startsWith('SQLite format 3\0')) return readSqlite(file)
  if (/^\{.*"op_code":/.test(head)) return readJournalFile(file)
  throw new SpecError(file, "neither a SQLite file of Optuna nor its journal storage's file")
}

function beginOf(file: string): string {
  const descriptor = openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(200)
    return bytes.subarray(0, readSync(descriptor, bytes)).toString('latin1')
  } finally {
    closeSync(descriptor)
  }
}

/** The tables of optuna.storages._rdb.models, schema version 12 and those before with the same columns. */
async function readSqlite(file: string): Promise<OptunaStudy[]> {
  const sqlite = await import('node-sqlite3-wasm')
  // A CommonJS module, whose names Node puts under `default`.
  const { Database } = 'default' in sqlite ? (sqlite.default as typeof sqlite) : sqlite
  let database: InstanceType<typeof Database> | undefined
  try {
    database = new Database(file, { readOnly: true, fileMustExist: true })
    const rows = (sql: string): Row[] => database!.all(sql)
    const paramsOf = groupRows(
      rows('SELECT trial_id AS id, param_name, param_value, distribution_json FROM trial_params ORDER BY param_id'),
    )
    const valuesOf = groupRows(rows('SELECT trial_id AS id, value, value_type FROM trial_values ORDER BY objective'))
    const directionsOf = groupRows(rows('SELECT study_id AS id, direction FROM study_directions ORDER BY objective'))
    const trialsOf = groupRows(rows('SELECT study_id AS id, trial_id, state FROM trials ORDER BY trial_id'))
    return rows('SELECT study_id, study_name FROM studies ORDER BY study_id').map(
      ({ study_id: study, study_name: name }) => ({
        name: String(name),
        directions: (directionsOf.get(study) ?? []).flatMap(({ direction }) => directionOf(direction)),
        trials: (trialsOf.get(study) ?? []).map(({ trial_id: id, state }) => ({
          state: String(state),
          values: (valuesOf.get(id) ?? []).map(({ value, value_type: type }) => valueOf(value, type)),
          params: new Map(
            (paramsOf.get(id) ?? []).map((row) => [
              String(row['param_name']),
              paramOf(file, Number(row['param_value']), String(row['distribution_json'])),
            ]),
          ),
        })),
      }),
    )
  } catch (error) {
    if (error instanceof SpecError) throw error
    throw new SpecError(file, `can't be read as a storage of Optuna: ${(error as Error).message}`, {
      cause: error,
      // What was written ahead is read by SQLite's own program alone.
      ...(existsSync(`${file}-wal`) ? { hint: `first run: sqlite3 ${file} 'PRAGMA journal_mode = delete'` } : {}),
    })
  } finally {
    database?.close()
  }
}

type Row = Readonly<Record<string, unknown>>

const groupRows = (rows: readonly Row[]): Map<unknown, Row[]> => groupBy(rows, ({ id }) => id)

const directionOf = (raw: unknown): ('minimize' | 'maximize')[] =>
  raw === 'MAXIMIZE' || raw === 2 ? ['maximize'] : raw === 'MINIMIZE' || raw === 1 ? ['minimize'] : []

const valueOf = (value: unknown, type: unknown): number =>
  type === 'INF_POS' ? Infinity : type === 'INF_NEG' ? -Infinity : typeof value === 'number' ? value : Number.NaN

function paramOf(file: string, internal: number, json: string): OptunaParam {
  let distribution: unknown
  try {
    distribution = JSON.parse(json)
  } catch (error) {
    throw new SpecError(file, `a distribution is not JSON: ${json.slice(0, 100)}`, { cause: error })
  }
  const attributes = isMapping(distribution) && isMapping(distribution['attributes']) ? distribution['attributes'] : {}
  // Of a choice Optuna keeps which one it was.
  const { choices } = attributes
  return { value: Array.isArray(choices) ? (choices[internal] as ParamValue) : internal, distribution }
}

/** The operations of optuna.storages.journal, by number. */
const operation = { createStudy: 0, deleteStudy: 1, createTrial: 4, setParam: 5, setState: 6 } as const
const states = ['RUNNING', 'COMPLETE', 'PRUNED', 'FAIL', 'WAITING']

interface Growing {
  readonly name: string
  readonly directions: OptunaStudy['directions']
  readonly trials: Trial[]
}
interface Trial {
  state: string
  values: readonly number[]
  readonly params: Map<string, OptunaParam>
}

/** Studies and trials are numbered in the order in which the file creates them. */
async function readJournalFile(file: string): Promise<OptunaStudy[]> {
  const studies: Growing[] = []
  const deleted = new Set<number>()
  const trials: Trial[] = []
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Infinity })
  let number = 0
  let torn: number | undefined
  for await (const line of lines) {
    number++
    if (line.trim() === '') continue
    const told = readLine(line)
    // Studies and trials are numbered by their lines: only the last may be torn, while Optuna writes.
    if (torn !== undefined) throw new SpecError(`${file}:${torn}`, 'this line of the journal is no JSON object')
    if (told === undefined) {
      torn = number
      continue
    }
    const { op_code: code, study_id: study, trial_id: id } = told
    if (code === operation.createStudy)
      studies.push({
        name: String(told['study_name']),
        directions: listOf(told['directions']).flatMap(directionOf),
        trials: [],
      })
    else if (code === operation.deleteStudy) deleted.add(Number(study))
    else if (code === operation.createTrial) trials.push(addTrial(file, number, studies[Number(study)], told))
    else if (code === operation.setParam)
      trials[Number(id)]?.params.set(
        String(told['param_name']),
        paramOf(file, Number(told['param_value_internal']), String(told['distribution'])),
      )
    else if (code === operation.setState) {
      const trial = trials[Number(id)]
      if (trial === undefined) continue
      trial.state = states[Number(told['state'])] ?? 'RUNNING'
      if (Array.isArray(told['values'])) trial.values = told['values'].map(Number)
    }
  }
  return studies.filter((_, i) => !deleted.has(i))
}

function addTrial(file: string, line: number, study: Growing | undefined, told: Row): Trial {
  if (study === undefined) throw new SpecError(`${file}:${line}`, 'a trial of a study that the file has not created')
  const written = told['values'] ?? (told['value'] === null ? [] : told['value'])
  const params = new Map<string, OptunaParam>()
  const distributions = isMapping(told['distributions']) ? told['distributions'] : {}
  for (const [name, value] of Object.entries(isMapping(told['params']) ? told['params'] : {}))
    params.set(name, paramOf(file, Number(value), String(distributions[name])))
  const trial: Trial = {
    state: states[Number(told['state'] ?? 0)] ?? 'RUNNING',
    values: listOf(written ?? []).map(Number),
    params,
  }
  study.trials.push(trial)
  return trial
}

const listOf = (raw: unknown): unknown[] => (Array.isArray(raw) ? (raw as unknown[]) : raw === undefined ? [] : [raw])

function readLine(line: string): Row | undefined {
  try {
    const told: unknown = JSON.parse(line)
    return isMapping(told) ? told : undefined
  } catch {
    return undefined
  }
}

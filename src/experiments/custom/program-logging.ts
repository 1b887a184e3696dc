import { randomBytes } from 'node:crypto'
import { proofOf, runAlias } from '../../core/program-logging.js'
import type { TrialContext } from '../experiment.js'
import type { CommandDefinition } from './source.js'

/** Of a question to this very host. */
const patienceMs = 5_000

/**
 * The variables by which MLflow's clients find the trial's own run; none where nobody asked for it, where the command names a
 * server of its own, or where this host is not the sweep's.
 */
export async function loggingVariables(
  { env }: Pick<CommandDefinition, 'env'>,
  { logging, trial, log }: Pick<TrialContext, 'logging' | 'trial' | 'log'>,
): Promise<Record<string, string>> {
  if (logging === undefined || 'MLFLOW_TRACKING_URI' in env) return {}
  const { url, key, attempt, experimentName, experimentId } = logging
  if (!(await isHere(url, key, trial.id))) {
    log('the program logs to no run of MLflow: the address for it is on the host that runs the sweep alone')
    return {}
  }
  const alias = runAlias(trial.id, attempt)
  return {
    MLFLOW_TRACKING_URI: url,
    MLFLOW_TRACKING_TOKEN: `${alias}.${key}`,
    MLFLOW_RUN_ID: alias,
    // It would be this address, where no page is.
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT: 'true',
    // Its thread changes the environment while requests read it, which fails a program now and then (3.17).
    MLFLOW_DISABLE_TELEMETRY: process.env['MLFLOW_DISABLE_TELEMETRY'] ?? 'true',
    ...(experimentName !== undefined && { MLFLOW_EXPERIMENT_NAME: experimentName }),
    ...(experimentId !== undefined && { MLFLOW_EXPERIMENT_ID: experimentId }),
  }
}

/** Whether the sweep's own process listens there: on another host somebody else may, who must not be shown the key. */
async function isHere(url: string, key: string, trial: string): Promise<boolean> {
  const nonce = randomBytes(16).toString('hex')
  try {
    const answer = await fetch(`${url}/mlds?trial=${trial}&nonce=${nonce}`, { signal: AbortSignal.timeout(patienceMs) })
    return answer.ok && (await answer.text()) === proofOf(key, nonce)
  } catch {
    return false
  }
}

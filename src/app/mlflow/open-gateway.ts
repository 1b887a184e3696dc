import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { contentHash } from '../../core/seed.js'
import { makeFolderSync } from '../../system/make-folder.js'
import { readRegularFile } from '../../system/read-regular-file.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { Gateway } from '../../tracking/mlflow/gateway/gateway.js'
import { mlflowSettings } from '../../tracking/mlflow/rest/settings.js'
import { MlflowTransport } from '../../tracking/mlflow/rest/transport.js'
import type { MlflowTracker } from '../../tracking/mlflow/tracker.js'

const storedGateway = z.object({ port: z.int().min(1).max(65_535), secret: z.string().regex(/^[0-9a-f]{64}$/) })

/**
 * Opens the address by which programs of this sweep's trials log to MLflow. Its port and secret are kept beside the journal,
 * readable to its owner alone: programs on remote workers go on when the sweep is resumed.
 */
export async function openGateway(sweep: SweepFolder, url: string, tracker: MlflowTracker): Promise<Gateway> {
  const settings = mlflowSettings(url, process.env)
  const folder = join(sweep.folder, 'tracking')
  const file = join(folder, `${contentHash(settings.url)}.gateway.json`)
  const known = readGateway(file)
  const secret = known?.secret ?? randomBytes(32).toString('hex')
  const { experimentId, experimentName = sweep.plan.experiment } = settings
  const gateway = await Gateway.open({
    transport: new MlflowTransport(settings),
    secret: Buffer.from(secret, 'hex'),
    ...(known && { port: known.port }),
    runOf: (trial, attempt) => tracker.openToProgram(trial, attempt),
    experiment: experimentId === undefined ? { experimentName } : { experimentId },
  })
  makeFolderSync(folder)
  writeFileSync(file, `${JSON.stringify({ port: gateway.port, secret })}\n`, { mode: 0o600 })
  return gateway
}

function readGateway(file: string): z.infer<typeof storedGateway> | undefined {
  if (!existsSync(file)) return undefined
  try {
    return storedGateway.parse(JSON.parse(readRegularFile(file, 'utf8')))
  } catch {
    return undefined
  }
}

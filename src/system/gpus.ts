import { MldsError } from '../core/errors.js'

/**
 * The devices that trials may use, by the names that CUDA_VISIBLE_DEVICES knows them by: the first `count` of those that this
 * variable names, or of all where it is not set. `undefined` where nobody says that there are any.
 * @throws MldsError when the variable names fewer.
 */
export function gpuDevices(count: number | undefined, env: NodeJS.ProcessEnv): string[] | undefined {
  const { CUDA_VISIBLE_DEVICES: named } = env
  const visible = named?.split(',').flatMap((device) => device.trim() || [])
  if (count === undefined) return visible
  if (visible === undefined) return Array.from({ length: count }, (_, i) => String(i))
  if (visible.length < count)
    throw new MldsError('USAGE', `--gpus: ${count} are more than CUDA_VISIBLE_DEVICES names: ${named}`)
  return visible.slice(0, count)
}

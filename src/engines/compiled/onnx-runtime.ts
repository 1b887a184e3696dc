import { EngineError } from '../../core/errors.js'
import { turnTelemetryOffFromHere } from '../../system/telemetry.js'

const remedy = await turnTelemetryOffFromHere()
if (remedy !== undefined)
  throw new EngineError('compiled', "the telemetry of ONNX Runtime can't be turned off in this thread", {
    hint: remedy,
  })

/** ONNX Runtime, loaded once it can't report any more. Every other file takes nothing but types from the package. */
export const { InferenceSession, Tensor } = await import('onnxruntime-node')

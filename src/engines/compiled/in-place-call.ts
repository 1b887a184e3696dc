import type * as ort from 'onnxruntime-node'
import { unfetchedOutput } from './programs/step-program.js'

const refusal = 'Non tensor type is temporarily not supported.'

/**
 * Runs a program that writes its outputs to the arrays in `fetches`, and copies nothing. onnxruntime-node 1.30 makes new
 * arrays of all outputs after a call, also of those that were given one (js/node/src/inference_session_wrap.cc; a change
 * is proposed in microsoft/onnxruntime#32346), which takes a large net longer than its update. It stops at an output that
 * it can't make an array of, so such a one comes first, and what it says then is that the program has run. A version that
 * makes something of lists copies again, and gives the same numbers.
 */
export async function callInPlace(
  session: ort.InferenceSession,
  feeds: Readonly<Record<string, ort.Tensor>>,
  fetches: Readonly<Record<string, ort.Tensor>>,
): Promise<void> {
  try {
    await session.run(feeds, { [unfetchedOutput]: null, ...fetches })
  } catch (error) {
    if ((error as Error).message !== refusal) throw error
  }
}

import { isMainThread } from 'node:worker_threads'

/**
 * ONNX Runtime reports how it is used to its maker, and keeps a queue and a device id under the home folder, unless this is in
 * the environment of the process before it loads. Its only other switch is in C, where JavaScript can't reach it.
 */
const [variable, off] = ['ORT_DISABLE_TELEMETRY', '1'] as const
/** What the main thread may take to answer: it is asked between two statements, but not while it waits in native code. */
const patienceMs = 10_000

/** Turns the telemetry off for the whole process where the caller is its main thread; for a worker thread does nothing. */
export function turnTelemetryOff(): void {
  // A thread's process.env is a copy: the runtime reads the environment that the main thread has.
  if (isMainThread) process.env[variable] = off
}

/**
 * Turns the telemetry off for the whole process, from any thread.
 * @returns what to do where that is impossible: the main thread neither answers nor did it itself.
 */
export async function turnTelemetryOffFromHere(): Promise<string | undefined> {
  turnTelemetryOff()
  if (isMainThread || (await setByMainThread()) || process.env[variable] === off) return undefined
  return `set ${variable}=${off} in the environment before the program starts`
}

/** True when the main thread has set the variable; false where it does not answer, or may not be asked. */
async function setByMainThread(): Promise<boolean> {
  try {
    const { Session } = await import('node:inspector')
    const session = new Session()
    session.connectToMainThread()
    try {
      return await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(false), patienceMs)
        const expression = `process.env.${variable} = '${off}'`
        session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
          clearTimeout(timer)
          resolve(error === null && answer.result.value === off)
        })
      })
    } finally {
      session.disconnect()
    }
  } catch {
    return false
  }
}

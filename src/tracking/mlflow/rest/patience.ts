import { systemClock } from '../../../core/clock.js'
import type { MlflowClient } from './client.js'
import { MlflowError } from './mlflow-error.js'

export interface Patience {
  /** For a server that has answered. */
  readonly answeredMs: number
  /** For one that has not answered anything. */
  readonly silentMs: number
  /** Ends the client's requests. */
  readonly giveUp: AbortController
}

/** Gives a server so long. @throws MlflowError when its time is up. */
export async function withPatience<T>(
  client: Pick<MlflowClient, 'hasAnswered'>,
  { answeredMs, silentMs, giveUp }: Patience,
  act: () => Promise<T>,
): Promise<T> {
  const limitMs = (): number => (client.hasAnswered ? answeredMs : silentMs)
  const cancels = [silentMs, answeredMs].map((afterMs) =>
    systemClock.after(afterMs, () => {
      if (afterMs >= limitMs()) giveUp.abort()
    }),
  )
  try {
    return await act()
  } catch (error) {
    throw giveUp.signal.aborted ? new MlflowError(`not within ${limitMs() / 1000} s`, undefined, true) : error
  } finally {
    cancels.forEach((cancel) => cancel())
  }
}

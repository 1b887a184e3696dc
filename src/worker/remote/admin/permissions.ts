import type { Names } from '../wire/names.js'

/** Subjects that one user of a NATS account may publish and subscribe to. */
export interface Permissions {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}

/**
 * All that a worker does, and nothing else: it can't queue, change or remove trials, write what people and orchestrators
 * decide, make or purge streams, or read replies that are not its own. Results, attempts and objects of its tenant it can
 * write, so workers of one tenant trust each other.
 */
export function workerPermissions(names: Names, inboxPrefix: string): Permissions {
  const api = (request: string, stream: string): string => `$JS.API.${request}.${stream}`
  const [workers, controls] = [`KV_${names.workers}`, `KV_${names.controls}`]
  const objects = `OBJ_${names.objects}`
  const read = [names.results, names.attempts, controls, objects]
  return {
    publish: [
      // Take a trial, keep it, and say that it is done.
      api('CONSUMER.INFO', `${names.trials}.${names.durable}`),
      api('CONSUMER.MSG.NEXT', `${names.trials}.${names.durable}`),
      `$JS.ACK.${names.trials}.${names.durable}.>`,
      // Tell of it.
      names.result({}),
      names.attempt({}),
      names.event({}),
      `$KV.${names.workers}.*`,
      `$O.${names.objects}.>`,
      names.upload({}),
      // Read what is stored, and follow what people want.
      ...read.flatMap((stream) => [api('DIRECT.GET', stream), `${api('DIRECT.GET', stream)}.>`]),
      ...read.map((stream) => api('STREAM.MSG.GET', stream)),
      ...[workers, controls, objects].map((stream) => api('STREAM.INFO', stream)),
      ...[controls, objects].flatMap((stream) => [
        `${api('CONSUMER.CREATE', stream)}.>`,
        `${api('CONSUMER.DELETE', stream)}.>`,
      ]),
      '$JS.API.INFO',
      // Without it, reading an object of more than 2 MB waits for ever.
      '$JS.FC.>',
    ],
    subscribe: [`${inboxPrefix}.>`, names.order({}), `$KV.${names.controls}.*`],
  }
}

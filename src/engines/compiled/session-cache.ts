import type * as ort from 'onnxruntime-node'
import { canonicalJson } from '../../core/seed.js'
import { sizeOf, type Net } from '../../net/net.js'
import { InferenceSession } from './onnx-runtime.js'

/** Programs kept per thread; a session's working memory goes with it. */
const keptPrograms = 6
/** Nets of more parameters than these have their arrays planned one by one. */
const plannedParameters = 100_000
/** A training whose batch makes more numbers than these, over all layers (16 MB), has programs of its own and frees them. */
const keptNumbers = 2 ** 22

/** A training's programs, one for each size of a batch. */
export interface ProgramsByBatch {
  readonly open: (batch: number) => Promise<ort.InferenceSession>
  readonly close: () => void
}

/** The programs that an engine has compiled lately. */
export class SessionCache {
  /** Least recently used first. */
  readonly #sessions = new Map<string, Promise<ort.InferenceSession>>()

  /** The session of a program, compiled once per thread and kept while it is in use lately. */
  open(net: Net, identity: object, build: () => Uint8Array): Promise<ort.InferenceSession> {
    const key = canonicalJson({ ...identity, ...identityOf(net) })
    const session = this.#sessions.get(key) ?? compile(net, build)
    this.#sessions.delete(key)
    this.#sessions.set(key, session)
    session.catch(() => this.#sessions.delete(key))
    // An evicted session lives on for those who hold it, and its memory goes when the last of them is collected.
    if (this.#sessions.size > keptPrograms) this.#sessions.delete(this.#sessions.keys().next().value!)
    return session
  }

  /** A training's programs, one for each size of a batch: kept, or its own where they take much memory. */
  byBatch(net: Net, identity: object, build: (batch: number) => Uint8Array): ProgramsByBatch {
    const own = new Map<number, Promise<ort.InferenceSession>>()
    const perRow = net.shapes.reduce((sum, layer) => sum + sizeOf(layer), 0)
    return {
      open: (batch) => {
        if (batch * perRow <= keptNumbers) return this.open(net, { ...identity, batch }, () => build(batch))
        const session = own.get(batch) ?? compile(net, () => build(batch))
        own.set(batch, session)
        return session
      },
      close: () => own.forEach((session) => void release(session)),
    }
  }

  async dispose(): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(sessions.map(release))
  }
}

/**
 * Passes of the runtime's optimiser that make these programs slower: one folds a transposition into the product behind it,
 * which then reads a large matrix across its rows; one lays images out in blocks, and back again between pools.
 */
const unwanted = ['GemmTransposeFusion', 'NchwcTransformer'].join(';')

async function compile(net: Net, build: () => Uint8Array): Promise<ort.InferenceSession> {
  return InferenceSession.create(build(), {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    extra: { optimization: { disable_specified_optimizers: unwanted } },
    // One block planned ahead for all of a step's arrays spares small nets a tenth of their time; of images and large nets
    // it is large, and taken beside the arrays that are not in the plan: twice the memory for nothing.
    enableMemPattern: !isOfImages(net) && net.parameterCount < plannedParameters,
  })
}

async function release(opened: Promise<ort.InferenceSession>): Promise<void> {
  // A failed compile was already reported to its caller.
  await (await opened.catch(() => undefined))?.release()
}

export function isOfImages(net: Net): boolean {
  return net.layers.some(({ kind }) => kind === 'conv2d' || kind.endsWith('pool'))
}

/** What of a net a program depends on: not its initialisers. */
function identityOf(net: Net): object {
  return {
    inputShape: net.inputShape,
    layers: net.layers.map((layer) => ({
      ...layer,
      kernel: undefined,
      bias: 'bias' in layer && layer.bias === false ? false : undefined,
    })),
  }
}

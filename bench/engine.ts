import { createEngine } from '../src/engines/create-engine.js'
import type { Engine } from '../src/engines/engine.js'
import { initialize, sizeOf } from '../src/net/net.js'
import { Random } from '../src/core/seed.js'
import { round, show, summarize, table } from './measure.js'
import { works, type Work } from './nets.js'
import { openPeer } from './peer.js'

/**
 * Microseconds per training step, each net on one thread, in turn with the peers so that a machine that changes its
 * speed changes it for all. `npm run bench engine m1 inter` measures only those.
 */
const rounds = 15
/** tfjs-node, where it is installed, takes many times as long. */
const nodeRounds = 5
/** So long at least is measured, as by the peers: a call of a small net takes 3 ms, too short to warm a processor up. */
const measureMs = 50

async function prepare(engine: Engine, { net, loss, optimizer, batch, steps }: Work): Promise<() => Promise<number>> {
  const rows = batch * steps
  const random = new Random(0)
  const size = rows * sizeOf(net.inputShape)
  let features: Float32Array = Float32Array.from({ length: size }, () => random.uniform())
  // Images as the experiments have them: in shared memory, each number a 255th.
  if (net.inputShape.length === 3) {
    const pixels = new Float32Array(new SharedArrayBuffer(4 * size))
    pixels.set(features.map((x) => Math.round(255 * x) / 255))
    features = pixels
  }
  const targets =
    loss === 'softmax-cross-entropy'
      ? Int32Array.from({ length: rows }, (_, i) => i % 10)
      : features.map((x) => Math.sin(6 * x))
  const training = await engine.train({
    net,
    loss,
    optimizer,
    batch,
    rows: { features, targets },
    parameters: initialize(net, 0),
  })
  const order = random.permutation(rows)
  await training.run(order)
  return async () => {
    const start = performance.now()
    let calls = 0
    do {
      await training.run(order)
      calls++
    } while (performance.now() - start < measureMs)
    return ((performance.now() - start) / (calls * steps)) * 1000
  }
}

export async function benchEngine(only: readonly string[]): Promise<void> {
  const compiled = await createEngine('compiled')
  const native = await createEngine('tfjs-node').catch(() => undefined)
  const peers = { torch: openPeer('steps_torch.py'), jax: openPeer('steps_jax.py') }
  const rows: string[][] = []
  for (const [name, work] of Object.entries(works)) {
    if (only.length > 0 && !only.includes(name)) continue
    const own = await prepare(compiled, work)
    const node = native === undefined ? undefined : await prepare(native, work)
    const times = { mlds: [] as number[], torch: [] as number[], jax: [] as number[], node: [] as number[] }
    await peers.torch?.(name)
    await peers.jax?.(name)
    for (let i = 0; i < rounds; i++) {
      times.mlds.push(await own())
      if (peers.torch !== undefined) times.torch.push(Number(await peers.torch(name)))
      if (peers.jax !== undefined) times.jax.push(Number(await peers.jax(name)))
      if (node !== undefined && i < nodeRounds) times.node.push(await node())
    }
    const ratio = (peer: readonly number[]): string =>
      peer.length === 0 || Number.isNaN(peer[0]) ? '–' : round(summarize(peer.map((t, i) => times.mlds[i]! / t)).median)
    const time = (values: readonly number[]): string =>
      values.length === 0 || Number.isNaN(values[0]) ? '–' : show(summarize(values))
    rows.push([
      name,
      String(work.net.parameterCount),
      time(times.mlds),
      time(times.torch),
      time(times.jax),
      time(times.node),
      ratio(times.torch),
      ratio(times.jax),
      ratio(times.node),
    ])
    console.log(rows.at(-1)!.join('  '))
  }
  Object.values(peers).forEach((peer) => peer?.close())
  console.log(
    `\n${table(['net', 'parameters', 'mlds µs', 'PyTorch µs', 'JAX µs', 'tfjs-node µs', '÷ PyTorch', '÷ JAX', '÷ tfjs-node'], rows)}`,
  )
}

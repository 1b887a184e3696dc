import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lanczos } from '../src/analysis/lanczos.js'
import { loadMnist10k, mnist10kRows } from '../src/data/mnist-package.js'
import { alphaGrid } from '../src/experiments/built-in/interpolate.js'
import { sharpnessNet } from '../src/experiments/built-in/sharpness.js'
import { twoLayerNet } from '../src/experiments/vocabulary/nets.js'
import { CompiledEngine } from '../src/engines/compiled/compiled.js'
import { initialize, type Net } from '../src/net/net.js'
import { Random } from '../src/core/seed.js'
import { peersPython, round, secondsOf, show, summarize, table } from './measure.js'
import { openPeer } from './peer.js'

/**
 * Whole experiments against the same written straightforwardly in PyTorch, in turn: `sim-func` and `cnn` as commands with
 * two processes each, from start to exit; `interpolate` (60 α × 10,000 images) and `eigenvalue` (the Hessian's largest on
 * 8000 rows, as sharpness measures it) on stored weights, one thread each, processor seconds, warm-up apart. Numbers that
 * both compute are compared. BENCH_ROUNDS, BENCH_EPOCHS (of the first two) and BENCH_SEEDS make it shorter.
 */
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const seeds = process.env['BENCH_SEEDS'] ?? '0,1,2'
const here = import.meta.dirname

interface Compared {
  readonly name: string
  readonly what: string
  readonly mlds: number[]
  readonly torch: number[]
}

export async function benchExperiments(only: readonly string[]): Promise<void> {
  const wanted = (name: string): boolean => only.length === 0 || only.includes(name)
  const folder = mkdtempSync(join(tmpdir(), 'mlds-bench-'))
  try {
    const compared: Compared[] = []
    const { pixels, labels } = await loadMnist10k(folder)
    if (wanted('interpolate') || wanted('eigenvalue'))
      compared.push(...(await compareWeights(folder, pixels, labels, wanted)))
    for (const name of ['sim-func', 'cnn'] as const) if (wanted(name)) compared.push(compareSweeps(name, folder))
    const rows = compared.map(({ name, what, mlds, torch }) => [
      name,
      what,
      show(summarize(mlds)),
      torch.length === 0 ? '–' : show(summarize(torch)),
      torch.length === 0 ? '–' : round(summarize(mlds.map((t, i) => t / torch[i]!)).median),
    ])
    console.log(`\n${table(['', 'what', 'mlds s', 'PyTorch s', 'mlds ÷ PyTorch'], rows)}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A reduced sweep and its peer, from process start to exit. */
function compareSweeps(name: 'sim-func' | 'cnn', folder: string): Compared {
  const epochs = process.env['BENCH_EPOCHS'] ?? { 'sim-func': '1000', cnn: '500' }[name]
  const pixels = join(folder, 'mnist-10k.u8')
  const peer = {
    'sim-func': ['sim_func_torch.py', epochs, seeds],
    cnn: ['cnn_torch.py', pixels, epochs, seeds],
  }[name]
  const compared: Compared = { name, what: `${epochs} epochs, seeds ${seeds}`, mlds: [], torch: [] }
  for (let i = 0; i < rounds; i++) {
    const store = join(folder, `${name}-${i}`)
    const setting = ['--set', `epochs=${epochs}`, '--set', `seed=${seeds}`]
    const command = [join(here, '..', 'bin', 'run.js'), 'sweep', name, ...setting, '--workers', '2', '--store', store]
    compared.mlds.push(secondsOf(process.execPath, command))
    if (peersPython !== undefined)
      compared.torch.push(secondsOf(peersPython, [join(here, 'peers', peer[0]!), ...peer.slice(1)]))
    console.log(`${name}: mlds ${round(compared.mlds.at(-1)!)} s, PyTorch ${round(compared.torch.at(-1) ?? NaN)} s`)
  }
  return compared
}

/** Both on stored weights: here in this process, there in a script that reads the same files. */
async function compareWeights(
  folder: string,
  pixels: Uint8Array,
  labels: Int32Array,
  wanted: (name: string) => boolean,
): Promise<Compared[]> {
  // Mixed, so that the first 8000 rows hold every class.
  const order = new Random(0, 'bench').permutation(mnist10kRows)
  const features = new Float32Array(pixels.length)
  const targets = Int32Array.from(order, (row) => labels[row]!)
  order.forEach((row, i) => {
    for (let k = 0; k < 784; k++) features[i * 784 + k] = pixels[row * 784 + k]! / 255
  })
  const [wide, cnn] = [twoLayerNet(0.05), sharpnessNet({ dropout: false })]
  const engine = new CompiledEngine()
  const rows = { features, targets }
  const loss = 'softmax-cross-entropy'
  const trained = async (net: Net, seed: number): Promise<Float32Array> => {
    const optimizer = { kind: 'adam', learningRate: 1e-3 } as const
    const training = await engine.train({ net, loss, optimizer, rows, batch: 100, parameters: initialize(net, seed) })
    await training.run(Int32Array.from({ length: 4000 }, (_, i) => i))
    return training.parameters()
  }
  const ends = [await trained(wide, 0), await trained(wide, 1)]
  const theta = await trained(cnn, 0)
  const alphas = alphaGrid({ alphaFrom: -1, alphaTo: 1.95, alphaStep: 0.05 })
  const write = (name: string, values: Float32Array | Int32Array): void =>
    writeFileSync(join(folder, name), new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  write('images.f32', features)
  write('labels.i32', targets)
  write('a.f32', ends[0]!)
  write('b.f32', ends[1]!)
  write('cnn.f32', theta)
  writeFileSync(join(folder, 'alphas.json'), JSON.stringify(alphas))
  const hessian = { rows: 8000, products: 12, chunk: 500 }
  writeFileSync(join(folder, 'eigenvalue.json'), JSON.stringify(hessian))

  const works: Readonly<Record<string, { what: string; run: () => Promise<number[]> }>> = {
    interpolate: {
      what: `${alphas.length} α × ${mnist10kRows} images, 784-256-256-10`,
      async run() {
        const coefficients = alphas.map((alpha) => [alpha, 1 - alpha])
        const points = await engine.evaluateCombinations({ net: wide, loss, rows }, ends, coefficients)
        const average = (of: (point: (typeof points)[0]) => number): number =>
          points.reduce((sum, point) => sum + of(point), 0) / points.length
        return [average((point) => point.loss), average((point) => point.accuracy)]
      },
    },
    eigenvalue: {
      what: `λmax of ${cnn.parameterCount} parameters on ${hessian.rows} rows, ${hessian.products} products`,
      async run() {
        const options = { net: cnn, loss, rows, order: Int32Array.from({ length: hessian.rows }, (_, i) => i) } as const
        const product = async (v: Float64Array) => (await engine.curvature(options, theta, v)).product
        const { values } = await lanczos(product, theta.length, new Random(0, 'start'), {
          tolerance: 0,
          maxProducts: hessian.products,
        })
        return [values[0]!]
      },
    },
  }
  const peer = openPeer('weights_torch.py', [folder])
  const compared: Compared[] = []
  try {
    for (const [name, { what, run }] of Object.entries(works)) {
      if (!wanted(name)) continue
      const own = await run()
      await peer?.(name)
      const times: Compared = { name, what, mlds: [], torch: [] }
      compared.push(times)
      for (let i = 0; i < rounds; i++) {
        const before = process.cpuUsage()
        await run()
        const { user, system } = process.cpuUsage(before)
        times.mlds.push((user + system) / 1e6)
        if (peer === undefined) continue
        const { seconds, result } = JSON.parse(await peer(name)) as { seconds: number; result: number[] }
        times.torch.push(seconds)
        own.forEach((value, k) => {
          if (Math.abs(value - result[k]!) > 1e-3 * Math.abs(value))
            throw new Error(`${name}: mlds finds ${own.join()}, PyTorch ${result.join()}: not the same work`)
        })
      }
      console.log(
        `${name}: ${own.map((value) => value.toPrecision(5)).join(', ')}${peer === undefined ? '' : ' by both'}`,
      )
    }
  } finally {
    peer?.close()
  }
  return compared
}

import { describe, expect, it } from 'vitest'
import { experimentNames } from '../../src/experiments/registry.js'
import { mlds, temporaryFolder } from '../helpers/cli.js'

/**
 * Nets that never learn: each experiment at a step size of 1e-9, over as many seeds, epochs and updates as its claims ask for.
 * Whatever a claim says of training, such nets must not bear it out.
 */
const sweeps: Readonly<Record<string, readonly string[]>> = {
  'sim-func': ['model=m1,m2,m3,m4', 'target=f1,f2', 'epochs=1000', 'rows=300'],
  // Its claims ask for 20,000 updates, which would take hours: this shows only that fewer decide nothing.
  cnn: ['structure=c1,c2,c3,c4', 'trainRows=400', 'testRows=400', 'epochs=3'],
  pca: ['epochs=15', 'snapshotEvery=3', 'batch=50', 'trainRows=500', 'testRows=500', 'reduction=joint', 'scope=whole'],
  'grad-norm': ['target=sinc,f1', 'epochs=200', 'rows=400'],
  'min-ratio': ['rows=400', 'epochs=20', 'finderSteps=5', 'estimator=sampled', 'samples=50'],
  // Steps of L-BFGS would train.
  'err-surface': ['rows=500', 'batch=100', 'epochs=20', 'fineSteps=0', 'plane=line', 'points=11'],
  shuffle: ['share=0,0.25,0.5,0.75,1', 'trainRows=2000', 'validationRows=200', 'testRows=500', 'epochs=3'],
  params: ['width=2,4,8,12,16,24,32,64,80,96,128,160,200', 'trainRows=2000', 'validationRows=500', 'epochs=20'],
  interpolate: ['batch=10,40', 'trainRows=200', 'testRows=500', 'epochs=300', 'alphaStep=0.25'],
  sensitivity: [
    'budget=epochs,loss',
    'batch=16,64,128,256,500',
    'trainRows=500',
    'testRows=500',
    'epochs=3',
    'quantity=mean-loss',
  ],
  sharpness: [
    'trainRows=200',
    'testRows=200',
    'batch=20,50,100,200',
    'budget=epochs',
    'epochs=2',
    'rows=100',
    'products=4',
    'samples=2',
  ],
}

interface Verdict {
  readonly claim: string
  readonly kind?: 'check'
  readonly state: string
  readonly summary: string
}

describe('nets that never learn', () => {
  it.each(experimentNames)('bear out no claim of %s, and pass every check that can be made', async (experiment) => {
    const settings = [...sweeps[experiment]!, 'learningRate=1e-9', 'seed=0..7'].flatMap((one) => ['--set', one])
    const { stdout, stderr } = await mlds(
      ['sweep', experiment, '-p', 'smoke', ...settings, '--workers', '2', '--json'],
      {
        cwd: temporaryFolder(),
      },
    )
    expect(stdout, stderr).toContain('verdicts')
    const { verdicts } = JSON.parse(stdout) as { verdicts: Verdict[] }
    const told = verdicts.map(({ claim, kind = 'claim', state, summary }) => `${kind} ${claim}: ${state}, ${summary}`)
    console.log(told.join('\n'))
    expect(told.filter((line) => /^claim [^:]*: reproduced/.test(line))).toEqual([])
    expect(told.filter((line) => /^check [^:]*: not reproduced/.test(line))).toEqual([])
  })
})

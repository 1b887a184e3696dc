import { CompiledEngine } from '../../src/nn/compiled.js'
import { createEngine } from '../../src/nn/create-engine.js'
import { engineSuite } from '../conformance/engine.js'

engineSuite('compiled', () => createEngine('compiled'))

// As it trains large nets, with a step and an update of our own a call; what it measures is the same.
engineSuite(
  'compiled, stepwise,',
  () => Promise.resolve(new CompiledEngine(0)),
  () => true,
  'training',
)

import { CompiledEngine } from '../../../src/engines/compiled/compiled.js'
import { createEngine } from '../../../src/engines/create-engine.js'
import { engineSuite } from '../../conformance/engine.js'

engineSuite('compiled', () => createEngine('compiled'))

// As it trains large nets, with a step and an update of our own a call; what it measures is the same.
engineSuite(
  'compiled, stepwise,',
  () => Promise.resolve(new CompiledEngine(0)),
  () => true,
  'training',
)

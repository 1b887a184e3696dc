import { createEngine } from '../../../src/engines/create-engine.js'
import { engineSuite } from '../../conformance/engine.js'

// Plain tfjs takes most of a minute for derivatives of large windows, which are no different to it from small ones.
engineSuite(
  'cpu',
  () => createEngine('cpu'),
  (net) => !net.includes('large window'),
)

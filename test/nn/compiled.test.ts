import { createEngine } from '../../src/nn/create-engine.js'
import { engineSuite } from '../conformance/engine.js'

engineSuite('compiled', () => createEngine('compiled'))

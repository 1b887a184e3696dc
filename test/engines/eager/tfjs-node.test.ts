import { describe, it } from 'vitest'
import { createEngine } from '../../../src/engines/create-engine.js'
import { engineSuite } from '../../conformance/engine.js'

/** tfjs-node is an optional companion that no registry ships ready to run: scripts/install-tfjs-node.sh builds it. */
const installed = await createEngine('tfjs-node').then(
  (engine) => engine.dispose().then(() => true),
  () => false,
)

if (installed) engineSuite('tfjs-node', () => createEngine('tfjs-node'))
else
  describe.skip('the tfjs-node engine (not installed: scripts/install-tfjs-node.sh adds it)', () =>
    it('is not installed'))

import { describe, it } from 'vitest'
import { runEachOnce } from '../../helpers/each-once.js'
import { hasNats } from '../../helpers/nats.js'
import { RemoteLab } from '../../helpers/remote-lab.js'

describe.skipIf(!hasNats)('a remote worker', () => {
  const lab = RemoteLab.open()

  it('runs ten thousand trials, each once', () => runEachOnce(lab, 10_000))
})

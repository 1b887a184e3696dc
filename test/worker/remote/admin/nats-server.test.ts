import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { natsServerVersion, startNatsServer } from '../../../../src/worker/remote/admin/nats-server.js'
import { temporaryFolder } from '../../../helpers/cli.js'

describe('the nats-server that mlds starts', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it.skipIf(!existsSync('/usr/sbin/nats-server'))('is found where Debian puts it, off a person’s PATH', () => {
    vi.stubEnv('PATH', '/usr/bin:/bin')
    expect(natsServerVersion()).toBeDefined()
  })

  it('says what to do with a configuration that is newer than it', async () => {
    const folder = temporaryFolder()
    const program = `#!/bin/sh\necho 'nats-server: server.conf:12:3: unknown field "sync_interval"' >&2\nexit 1\n`
    writeFileSync(join(folder, 'nats-server'), program, { mode: 0o755 })
    vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`)
    await expect(startNatsServer(join(folder, 'store'), 0, 'server.conf')).rejects.toMatchObject({
      hint: expect.stringContaining('put a # before sync_interval in server.conf') as string,
    })
  })
})

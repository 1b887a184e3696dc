import { createServer } from 'node:net'

/**
 * Says whether tests of a service can run: `describe.skipIf(!hasX)`. Where every service is required
 * (MLDS_REQUIRE_SERVICES=1, as in CI) a missing one fails the file instead of passing unseen.
 */
export function requireService(name: string, present: boolean, remedy: string): boolean {
  if (present) return true
  if (process.env['MLDS_REQUIRE_SERVICES'] === '1') throw new Error(`${name} is required but missing: ${remedy}`)
  console.warn(`Tests of ${name} are skipped: it is missing. ${remedy}`)
  return false
}

/** A port of this host that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

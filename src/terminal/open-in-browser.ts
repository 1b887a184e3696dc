import { spawn } from 'node:child_process'

/** Opens an address in the person's browser, where there is a screen to see it on; whether that works is nobody's trouble. */
export function openInBrowser(url: string, env: NodeJS.ProcessEnv, platform = process.platform): void {
  const command = opener(env, platform)
  if (command === undefined) return
  const [program, ...args] = command
  const child = spawn(program!, [...args, url], { detached: true, stdio: 'ignore' })
  child.on('error', () => {})
  child.unref()
}

/** `undefined` where nobody would see a browser. */
function opener(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string[] | undefined {
  if (env['CI'] !== undefined || !process.stdout.isTTY) return undefined
  if (platform === 'darwin') return ['open']
  // No shell sees the address: its `&` would end it there.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler']
  const hasScreen = env['DISPLAY'] !== undefined || env['WAYLAND_DISPLAY'] !== undefined
  return hasScreen ? ['xdg-open'] : undefined
}

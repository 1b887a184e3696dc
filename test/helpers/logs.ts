import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The trials whose logs lie in a sweep's folder of logs, in files of their own or with others; sorted. */
export function trialsWithLogs(folder: string): string[] {
  if (!existsSync(folder)) return []
  const own = readdirSync(folder).flatMap((file) => (file.endsWith('.log') ? [file.split('.')[0]!] : []))
  const shared = join(folder, 'short.jsonl')
  const lines = existsSync(shared) ? readFileSync(shared, 'utf8').trim().split('\n') : []
  return [...own, ...lines.map((line) => (JSON.parse(line) as { trial: string }).trial)].sort()
}

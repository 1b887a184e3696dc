const unitsMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const

/** `90s`, `10m`, `1h30m`, `2d` in milliseconds; each unit at most once, the largest first. `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const [whole, ...counts] = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(text) ?? []
  if (whole === undefined || whole === '') return undefined
  const units = Object.values(unitsMs)
  return counts.reduce((sum, count, i) => sum + Number(count ?? 0) * units[i]!, 0)
}

/** A duration as `parseDuration` reads it, in whole seconds and the largest unit that tells it: `2h`, `90m`, `45s`. */
export function writeDuration(durationMs: number): string {
  const wholeMs = Math.ceil(durationMs / unitsMs.s) * unitsMs.s
  const [unit, sizeMs] = Object.entries(unitsMs).find(([name, size]) => name !== 'd' && wholeMs % size === 0)!
  return `${wholeMs / sizeMs}${unit}`
}

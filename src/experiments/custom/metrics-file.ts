import { MldsError } from '../../core/errors.js'
import { readJson, readNamed, type Reading } from './metric-lines.js'

/**
 * What a file of metrics tells, a CSV table with a row of names, or JSON: an object, a list of objects, or an object a line.
 * Each row or object with a step is a report, and so is a row of a table without one: its place from 1 is its step.
 * @throws MldsError when it is none of these.
 */
export function readMetricsText(text: string, name: string): readonly Reading[] {
  const trimmed = text.trim()
  const readings = /^[{[]/.test(trimmed) ? jsonReadings(trimmed) : tableReadings(trimmed)
  if (readings.length === 0)
    throw new MldsError(
      'COMMAND',
      `metricsFile: no number was found in ${name} (a CSV table with a row of names, or JSON, is read)`,
    )
  return readings
}

function jsonReadings(text: string): Reading[] {
  const whole = readJson(text)
  if (whole !== undefined) return [whole]
  const objects = text.startsWith('[') ? listOf(text) : text.split('\n')
  return objects.flatMap((object) => readJson(object) ?? [])
}

function listOf(text: string): string[] {
  try {
    return (JSON.parse(text) as unknown[]).map((item) => JSON.stringify(item))
  } catch {
    return []
  }
}

function tableReadings(text: string): Reading[] {
  const [names = [], ...rows] = tableOf(text)
  return rows.flatMap((cells, i) => {
    const named = names.flatMap((name, column): [string, string][] => {
      const cell = cells[column]?.trim() ?? ''
      return cell === '' ? [] : [[name.trim(), cell]]
    })
    const reading = readNamed(named)
    return reading === undefined ? [] : [{ ...reading, step: reading.step ?? i + 1 }]
  })
}

/** The cells of a table by RFC 4180: commas part them, quotes hold one together, and a quote in those is doubled. */
function tableOf(text: string): string[][] {
  return text
    .split(/\r?\n/)
    .map((line) =>
      [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
        quoted === undefined ? plain! : quoted.replaceAll('""', '"'),
      ),
    )
}

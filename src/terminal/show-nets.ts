import { netsOf } from '../app/nets.js'
import type { Experiment } from '../experiments/experiment.js'
import { drawNets, type DrawnNet } from '../figures/nets.js'
import { describeNet, outlineOf, type LayerLine } from '../net/describe-net.js'
import { drawInto } from './draw-into.js'
import { formatTable } from './table.js'

/** Of more nets a line each is shown. */
const maxTables = 6
/** More would not be read on a page. */
const maxDrawn = 8

export interface ShownNet extends DrawnNet {
  readonly parameters: number
  readonly outline: string
  readonly layers: readonly LayerLine[]
}

/** The nets that an experiment trains under a profile. @throws UnknownNameError, MldsError as {@link netsOf} does. */
export const shownNets = (experiment: Experiment, profile: string): ShownNet[] =>
  netsOf(experiment, profile).map(({ name, net }) => ({
    ...{ name, parameters: net.parameterCount, outline: outlineOf(net), layers: describeNet(net) },
  }))

/** Nets for a person: a table each, or of many a line each. */
export function formatNets(nets: readonly ShownNet[]): string {
  if (nets.length > maxTables)
    return formatTable(
      ['net', 'parameters', 'numbers of a row'],
      nets.map(({ name, parameters, outline }) => [name, String(parameters), outline]),
    )
  const tableOf = ({ name, parameters, layers }: ShownNet): string =>
    `${name}: ${parameters} parameters\n${formatTable(
      ['layer', 'output', 'activation', 'parameters'],
      layers.map((line) => [line.layer, line.output, line.activation, String(line.parameters)]),
    )}`
  return nets.map(tableOf).join('\n\n')
}

/** Draws nets into a file; of many the first, the last, and what lies evenly between. @throws MldsError for a file of another kind, StoreError when it can't be written. */
export async function drawNetsInto(file: string, title: string, nets: readonly ShownNet[]): Promise<void> {
  const shown = nets.length <= maxDrawn ? nets : evenly(nets, maxDrawn)
  const heading = shown === nets ? title : `${title} (${shown.length} of ${nets.length})`
  await drawInto(file, title, drawNets(heading, shown))
}

const evenly = <T>(all: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, i) => all[Math.round((i * (all.length - 1)) / (count - 1))]!)

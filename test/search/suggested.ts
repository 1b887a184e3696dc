import { pointSamplers, type PointSamplerName } from '../../src/search/samplers.js'
import { search, spaces } from './searches.js'

/** Prints what every sampler suggests, with its reasons, one after the other and eight at once. */
const suggested = (Object.keys(pointSamplers) as PointSamplerName[]).flatMap((name) =>
  ['numbers', 'conditional'].flatMap((space) =>
    [1, 8].map((lag) => [name, space, lag, search(name, spaces[space]!, { count: 40, lag })]),
  ),
)
console.log(JSON.stringify(suggested))

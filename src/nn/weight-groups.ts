import type { Net, Parameter } from './net.js'

/**
 * Parameters that a training program keeps in one array: a large one by itself in its own shape, so that it is read and
 * updated where it lies; the small ones together as one vector, so that the optimiser's operations run once for all.
 */
export interface WeightGroup {
  readonly members: readonly Parameter[]
  readonly shape: readonly number[]
}

/** From so many numbers on, copying a parameter out of a vector and back costs more than operations of its own. */
const largeParameter = 16_384

export function weightGroups(net: Net): WeightGroup[] {
  const small = net.parameters.filter(({ size }) => size < largeParameter)
  const large = net.parameters.filter(({ size }) => size >= largeParameter)
  const size = small.reduce((sum, parameter) => sum + parameter.size, 0)
  return [
    ...(small.length === 0 ? [] : [{ members: small, shape: [size] }]),
    ...large.map((parameter) => ({ members: [parameter], shape: parameter.shape })),
  ]
}

/** A group's numbers out of the net's flat vector. */
export function pick({ members }: WeightGroup, flat: Float32Array): Float32Array {
  const picked = new Float32Array(members.reduce((sum, { size }) => sum + size, 0))
  eachMember(members, ({ offset, size }, at) => picked.set(flat.subarray(offset, offset + size), at))
  return picked
}

/** Puts a group's numbers back where they belong in the net's flat vector. */
export function place({ members }: WeightGroup, values: Float32Array, flat: Float32Array): void {
  eachMember(members, ({ offset, size }, at) => flat.set(values.subarray(at, at + size), offset))
}

function eachMember(members: readonly Parameter[], visit: (member: Parameter, at: number) => void): void {
  let at = 0
  for (const member of members) {
    visit(member, at)
    at += member.size
  }
}

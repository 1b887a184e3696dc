import type { Net, Parameter } from './net.js'

/**
 * Parameters that a training program keeps in one row of numbers, `[1, size]`: a large one by itself, so that it is read
 * and updated where it lies; the small ones together, so that the optimiser's operations run once for all.
 */
export interface WeightGroup {
  readonly members: readonly Parameter[]
  readonly size: number
}

/** From so many numbers on, copying a parameter out of a vector and back costs more than operations of its own. */
const largeParameter = 16_384

export function weightGroups(net: Net): WeightGroup[] {
  const small = net.parameters.filter(({ size }) => size < largeParameter)
  const large = net.parameters.filter(({ size }) => size >= largeParameter)
  return [small, ...large.map((parameter) => [parameter])]
    .filter((members) => members.length > 0)
    .map((members) => ({ members, size: members.reduce((sum, { size }) => sum + size, 0) }))
}

/** A group's numbers out of the net's flat vector. */
export function pick({ members, size }: WeightGroup, flat: Float32Array): Float32Array {
  const picked = new Float32Array(size)
  eachMember(members, (member, at) => picked.set(flat.subarray(member.offset, member.offset + member.size), at))
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

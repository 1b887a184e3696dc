import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataError } from '../../src/core/errors.js'
import { decodeCheckpoint, encodeCheckpoint } from '../../src/net/checkpoint.js'
import { defineNet, initialize } from '../../src/net/net.js'

const net = defineNet(
  [3],
  [
    { kind: 'dense', units: 4, activation: 'relu' },
    { kind: 'dense', units: 2, bias: false },
  ],
)
const parameters = initialize(net, 5)

describe('a checkpoint', () => {
  it('gives back the very weights', () => {
    expect(decodeCheckpoint(net, encodeCheckpoint(net, parameters, { epoch: '3' }))).toEqual(parameters)
  })

  it('is a safetensors file: header length, JSON header, aligned little-endian data', () => {
    const bytes = Buffer.from(encodeCheckpoint(net, parameters))
    const length = Number(bytes.readBigUInt64LE(0))
    expect(length % 8).toBe(0)
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, unknown>
    expect(header).toMatchObject({
      'layer0/kernel': { dtype: 'F32', shape: [3, 4], data_offsets: [0, 48] },
      'layer0/bias': { shape: [4] },
      'layer1/kernel': { shape: [4, 2] },
    })
    expect(bytes.readFloatLE(8 + length)).toBe(parameters[0])
    expect(bytes.length).toBe(8 + length + net.parameterCount * 4)
  })

  it('of another net, or cut short, is refused with a sentence', () => {
    const bytes = encodeCheckpoint(net, parameters)
    const other = defineNet([3], [{ kind: 'dense', units: 5 }])
    expect(() => decodeCheckpoint(other, bytes)).toThrow(/layer0\/kernel is F32 \[3, 4\] \(the net's is F32 \[3, 5\]\)/)
    expect(() => decodeCheckpoint(net, bytes.subarray(0, bytes.length - 1))).toThrow(/does not lie within the file/)
    expect(() => decodeCheckpoint(net, bytes.subarray(0, 5))).toThrow(DataError)
  })

  it('never does worse than a sentence, whatever bytes it is given', () => {
    const good = encodeCheckpoint(net, parameters)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => good.with(at, byte)),
        ),
        (bytes) => {
          try {
            expect(decodeCheckpoint(net, bytes)).toHaveLength(net.parameterCount)
          } catch (error) {
            expect(error).toBeInstanceOf(DataError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** Arrays as files that numpy opens with `np.load`: format 1.0, little-endian, row-major. */

const kinds = { Float32Array: '<f4', Int32Array: '<i4' } as const

/** One array in numpy's own format. `shape` multiplies to its length. */
export function encodeNpy(values: Float32Array | Int32Array, shape: readonly number[] = [values.length]): Uint8Array {
  const descr = values instanceof Float32Array ? kinds.Float32Array : kinds.Int32Array
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`
  const magic = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0])
  // The data begin at a multiple of 64 bytes; the header ends with a line feed.
  const padding = 64 - ((magic.length + 2 + dict.length + 1) % 64)
  const header = Buffer.from(`${dict}${' '.repeat(padding % 64)}\n`, 'latin1')
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  return Buffer.concat([magic, length, header, Buffer.from(values.buffer, values.byteOffset, values.byteLength)])
}

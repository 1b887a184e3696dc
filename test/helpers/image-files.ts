import { gzipSync } from 'node:zlib'

/** Small but right files of the formats that data sets are published in. */
export function idxImages(rows: number, side = 28, value = (i: number): number => i % 251): Buffer {
  const header = Buffer.alloc(16)
  ;[0x803, rows, side, side].forEach((number, i) => header.writeUInt32BE(number, 4 * i))
  return Buffer.concat([header, Buffer.from(Uint8Array.from({ length: rows * side * side }, (_, i) => value(i)))])
}

export function idxLabels(rows: number, label = (i: number): number => i % 10): Buffer {
  const header = Buffer.alloc(8)
  ;[0x801, rows].forEach((number, i) => header.writeUInt32BE(number, 4 * i))
  return Buffer.concat([header, Buffer.from(Uint8Array.from({ length: rows }, (_, i) => label(i)))])
}

/** A label, then 1024 bytes of red, green and blue each. */
export function cifarBatch(rows: number): Buffer {
  return Buffer.concat(
    Array.from({ length: rows }, (_, row) =>
      Buffer.concat([
        Buffer.of(row % 10),
        Buffer.alloc(1024, 10 + row),
        Buffer.alloc(1024, 20),
        Buffer.alloc(1024, 30),
      ]),
    ),
  )
}

export function tar(files: Readonly<Record<string, Buffer>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, bytes]) => {
    const header = Buffer.alloc(512)
    header.write(`cifar-10-batches-bin/${name}`, 0, 'latin1')
    header.write(bytes.length.toString(8).padStart(11, '0'), 124, 'latin1')
    header.write('0', 156, 'latin1')
    header.write('ustar', 257, 'latin1')
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export const mnistFiles = (train: number, test: number): Record<string, Buffer> => ({
  'train-images-idx3-ubyte.gz': gzipSync(idxImages(train)),
  'train-labels-idx1-ubyte.gz': gzipSync(idxLabels(train)),
  't10k-images-idx3-ubyte': idxImages(test),
  't10k-labels-idx1-ubyte': idxLabels(test),
})

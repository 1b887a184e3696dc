import { createHash, hash } from 'node:crypto'

/**
 * A stream of numbers fixed by its seed: SplitMix-seeded xoshiro128** (Blackman and Vigna 2018), 32 bits a draw.
 * Ours, not a library's, because every result in every journal depends on its exact bits for ever.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number
  #spare: number | undefined

  /** `names` make independent streams of one seed: `new Random(seeds.init, 'layer0')`. */
  constructor(seed: number, ...names: readonly (string | number)[]) {
    const digest = createHash('sha256')
      .update(JSON.stringify([seed, ...names]))
      .digest()
    this.#a = digest.readInt32LE(0)
    this.#b = digest.readInt32LE(4)
    this.#c = digest.readInt32LE(8)
    // xoshiro must not start at all zeros.
    this.#d = digest.readInt32LE(12) | 1
  }

  /** An integer in [0, 2³²). */
  uint32(): number {
    const b5 = Math.imul(this.#b, 5)
    const result = Math.imul((b5 << 7) | (b5 >>> 25), 9) >>> 0
    const t = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= t
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** Uniform in [0, 1), 53 bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992
  }

  /** An integer in [0, `bound`), without modulo bias. */
  below(bound: number): number {
    const limit = 4294967296 - (4294967296 % bound)
    for (;;) {
      const draw = this.uint32()
      if (draw < limit) return draw % bound
    }
  }

  /** Standard normal, by the polar method (Marsaglia 1964). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare
      this.#spare = undefined
      return spare
    }
    for (;;) {
      const u = 2 * this.uniform() - 1
      const v = 2 * this.uniform() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s)
        this.#spare = v * scale
        return u * scale
      }
    }
  }

  /** A permutation of 0 … `length`−1 (Fisher and Yates). */
  permutation(length: number): Int32Array {
    const order = new Int32Array(length)
    for (let i = 0; i < length; i++) order[i] = i
    this.shuffle(order)
    return order
  }

  /** Shuffles in place. */
  shuffle<T>(items: { [index: number]: T; readonly length: number }): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const held = items[i]!
      items[i] = items[j]!
      items[j] = held
    }
  }
}

/** JSON with keys in sorted order and −0 as 0, so that equal values have equal text; NaN and infinities are refused. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`not a finite number: ${value}`)
    return String(value === 0 ? 0 : value)
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  let json = ''
  // Plain loops: a plan of a million trials comes through here a million times.
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) json += `${json === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`
  }
  return `{${json}}`
}

/** The first `length` hexadecimal characters, an even number, of the SHA-256 of the canonical JSON. */
export function contentHash(value: unknown, length = 16): string {
  return textHash(canonicalJson(value), length)
}

/** The same of a text that is canonical JSON already. */
export function textHash(canonical: string, length = 16): string {
  // Not cut out of the whole digest's text, which would keep all of it in memory.
  return hash('sha256', canonical, 'buffer').toString('hex', 0, length / 2)
}

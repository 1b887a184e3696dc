import { optimizerRules, type Arithmetic } from '../../optimizers.js'
import type { OptimizerSpec } from '../../../net/training-spec.js'

/**
 * An optimiser's step on vectors in memory: takes how many bytes each has, a multiple of 16, where the parameters, the
 * gradient and the slots begin, and the rule's hyperparameters and schedule. It reads and writes every number once, where
 * the runtime takes a pass over memory for each operation; of a large net those are a good part of a step.
 */
export type Update = (bytes: number, ...placesAndNumbers: readonly number[]) => void

const modules = new Map<OptimizerSpec['kind'], WebAssembly.Module>()

/** The step of this kind on the caller's memory. */
export function openUpdate(kind: OptimizerSpec['kind'], memory: WebAssembly.Memory): Update {
  const module = modules.get(kind) ?? new WebAssembly.Module(encodeUpdate(kind))
  modules.set(kind, module)
  const { exports } = new WebAssembly.Instance(module, { mlds: { memory } })
  return exports['update'] as Update
}

/** WebAssembly's numbers for what is used of it (W3C, WebAssembly Core Specification 2.0, section 5.4). */
const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const
const localGet = 0x20
const localSet = 0x21
const end = 0x0b
const i32Add = 0x6a
const i32LessThan = 0x49
const voidBlock = 0x40
const vector = {
  load: [0xfd, 0x00, 4, 0],
  store: [0xfd, 0x0b, 4, 0],
  splat: [0xfd, 0x13],
  abs: [0xfd, 0xe0, 1],
  sqrt: [0xfd, 0xe3, 1],
  add: [0xfd, 0xe4, 1],
  sub: [0xfd, 0xe5, 1],
  mul: [0xfd, 0xe6, 1],
  div: [0xfd, 0xe7, 1],
  max: [0xfd, 0xe9, 1],
} as const

/** A module whose one function, `update`, is a loop over four numbers at a time. */
export function encodeUpdate(kind: OptimizerSpec['kind']): Uint8Array {
  const rule = optimizerRules[kind]
  const rates = rule.hyperparameters({ kind, learningRate: 1 })
  const numbers = [...rates, ...rule.schedule(rates, 1)]
  const pointers = 2 + rule.slots
  const parameters = [...Array<number>(1 + pointers).fill(types.i32), ...numbers.map(() => types.f32)]

  const code = new VectorCode(parameters.length)
  const splats = numbers.map((_, i) => code.keep([localGet, 1 + pointers + i, ...vector.splat]))
  code.loop(0, () => {
    const [weights, gradient, ...slots] = Array.from({ length: pointers }, (_, i) => code.load(1 + i))
    const next = rule.update(code, {
      parameters: weights!,
      gradient: gradient!,
      slots,
      hyper: splats.slice(0, rates.length),
      scheduled: splats.slice(rates.length),
    })
    code.store(1, next.parameters)
    next.slots.forEach((slot, i) => code.store(3 + i, slot))
  })

  const name = (text: string): number[] => sized([...Buffer.from(text)])
  const section = (id: number, items: readonly (readonly number[])[]): number[] => [
    id,
    ...sized([...unsigned(items.length), ...items.flat()]),
  ]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, ...sized(parameters, parameters.length), 0]]),
    ...section(2, [[...name('mlds'), ...name('memory'), 0x02, 0x00, 1]]),
    ...section(3, [[0]]),
    ...section(7, [[...name('update'), 0x00, 0]]),
    ...section(10, [sized(code.encode())]),
  ])
}

/** Instructions whose values, four numbers each, have local variables of their own. */
class VectorCode implements Arithmetic<number> {
  readonly #body: number[] = []
  #vectors = 0

  /** The first local variable after the `parameters` counts bytes. */
  constructor(private readonly parameters: number) {}

  keep(instructions: readonly number[]): number {
    const local = this.parameters + 1 + this.#vectors++
    this.#append([...instructions, localSet, ...unsigned(local)])
    return local
  }

  /** Runs `body` for each sixteen of the bytes that the local variable `bytes` tells. */
  loop(bytes: number, body: () => void): void {
    const position = this.parameters
    this.#body.push(0x03, voidBlock)
    body()
    this.#body.push(localGet, position, 0x41, 16, i32Add, 0x22, position, localGet, bytes, i32LessThan, 0x0d, 0, end)
  }

  load(pointer: number): number {
    return this.keep([...this.#address(pointer), ...vector.load])
  }

  store(pointer: number, value: number): void {
    this.#append([...this.#address(pointer), localGet, ...unsigned(value), ...vector.store])
  }

  #append(instructions: readonly number[]): void {
    for (const byte of instructions) this.#body.push(byte)
  }

  #address(pointer: number): number[] {
    return [localGet, pointer, localGet, this.parameters, i32Add]
  }

  #apply(operation: readonly number[], ...operands: readonly number[]): number {
    return this.keep([...operands.flatMap((local) => [localGet, ...unsigned(local)]), ...operation])
  }

  readonly add = (a: number, b: number): number => this.#apply(vector.add, a, b)
  readonly sub = (a: number, b: number): number => this.#apply(vector.sub, a, b)
  readonly mul = (a: number, b: number): number => this.#apply(vector.mul, a, b)
  readonly div = (a: number, b: number): number => this.#apply(vector.div, a, b)
  readonly max = (a: number, b: number): number => this.#apply(vector.max, a, b)
  readonly abs = (x: number): number => this.#apply(vector.abs, x)
  readonly sqrt = (x: number): number => this.#apply(vector.sqrt, x)
  readonly axpy = (a: number, x: number, y: number): number => this.add(this.mul(a, x), y)
  readonly one = (): number => this.keep([0x43, 0x00, 0x00, 0x80, 0x3f, ...vector.splat])

  /** The function's local variables and instructions. */
  encode(): number[] {
    return [2, 1, types.i32, ...unsigned(this.#vectors), types.v128, ...this.#body, end]
  }
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

const sized = (bytes: readonly number[], size = bytes.length): number[] => [...unsigned(size), ...bytes]

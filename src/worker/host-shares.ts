import { totalmem } from 'node:os'

/** What a trial takes of its host while it runs: devices, or a share of one; and GB of memory. */
export interface Shares {
  readonly gpu: number
  readonly memoryGb: number
}

/** A part of a host that is taken. */
export interface TakenShares extends Shares {
  /** The devices that its trial sees. */
  readonly devices: readonly string[]
}

/** Sums of shares like 0.1 may lie a little off. */
const tolerance = 1e-9

/** Devices and memory that the trials of one process share. */
export class HostShares {
  /** What is free of each device, from 0 to 1. */
  readonly #free: Map<string, number>
  #freeMemoryGb: number

  constructor({ gpus, memoryGb }: { readonly gpus: readonly string[]; readonly memoryGb: number }) {
    this.#free = new Map(gpus.map((device) => [device, 1]))
    this.#freeMemoryGb = memoryGb
  }

  fits(wanted: Shares): boolean {
    return this.#devicesFor(wanted.gpu) !== undefined && wanted.memoryGb <= this.#freeMemoryGb + tolerance
  }

  /** `undefined` when not so much is free. */
  take({ gpu, memoryGb }: Shares): TakenShares | undefined {
    const devices = this.#devicesFor(gpu)
    if (devices === undefined || !this.fits({ gpu, memoryGb })) return undefined
    const each = Math.min(1, gpu)
    for (const device of devices) this.#free.set(device, this.#free.get(device)! - each)
    this.#freeMemoryGb -= memoryGb
    return { gpu, memoryGb, devices }
  }

  give({ gpu, memoryGb, devices }: TakenShares): void {
    const each = Math.min(1, gpu)
    for (const device of devices) this.#free.set(device, this.#free.get(device)! + each)
    this.#freeMemoryGb += memoryGb
  }

  /** A share goes to the device that is fullest, so that whole ones stay free for those who want one. */
  #devicesFor(gpu: number): string[] | undefined {
    if (gpu === 0) return []
    const each = Math.min(1, gpu)
    const able = [...this.#free].filter(([, free]) => free >= each - tolerance)
    const count = Math.ceil(gpu)
    if (able.length < count) return undefined
    return able
      .sort(([, a], [, b]) => a - b)
      .slice(0, count)
      .map(([device]) => device)
  }
}

/** Of several things that may be taken, what any of them needs at most. */
export const larger = (a: Shares, b: Shares): Shares => ({
  gpu: Math.max(a.gpu, b.gpu),
  memoryGb: Math.max(a.memoryGb, b.memoryGb),
})

/** How many such trials find room at once. */
export function roomFor(wanted: Shares, host: { readonly gpus: readonly string[]; readonly memoryGb: number }): number {
  const { gpu, memoryGb } = wanted
  const perDevice = gpu > 0 && gpu < 1 ? Math.floor(1 / gpu + tolerance) : 1
  const byDevices = gpu === 0 ? Infinity : Math.floor((host.gpus.length * perDevice) / Math.ceil(gpu))
  const byMemory = memoryGb === 0 ? Infinity : Math.floor(host.memoryGb / memoryGb)
  return Math.min(byDevices, byMemory)
}

/** GB of memory of this host. */
export const hostMemoryGb = (): number => Math.round(totalmem() / 1e8) / 10

/** Where on its host a trial runs. */
export interface Place {
  /** Counted from 0: no two trials of a process that run at once have the same. */
  readonly slot: number
  /** The devices that it sees; `undefined` where nobody said which there are. */
  readonly devices: readonly string[] | undefined
}

/** What a trial's code and its programs find of that in their environment. */
export const environmentOf = ({ slot, devices }: Place): Readonly<Record<string, string>> => ({
  MLDS_SLOT: String(slot),
  ...(devices === undefined ? {} : { CUDA_VISIBLE_DEVICES: devices.join(',') }),
})

/** The places of trials that all take the same of this host. */
export class Places {
  readonly #slots = new Set<number>()
  readonly #host: HostShares

  constructor(
    private readonly shares: Shares,
    private readonly gpus: readonly string[] | undefined,
  ) {
    this.#host = new HostShares({ gpus: gpus ?? [], memoryGb: Infinity })
  }

  /** The first slot that is free, with its devices; `give` gives both back. */
  take(): { readonly place: Place; readonly give: () => void } {
    let slot = 0
    while (this.#slots.has(slot)) slot++
    this.#slots.add(slot)
    const taken = this.#host.take({ ...this.shares, memoryGb: 0 })
    if (taken === undefined) throw new Error(`no device is free for one more trial of ${this.shares.gpu} GPUs`)
    return {
      place: { slot, devices: this.gpus === undefined ? undefined : taken.devices },
      give: () => {
        this.#slots.delete(slot)
        this.#host.give(taken)
      },
    }
  }
}

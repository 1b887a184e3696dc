import { StringDecoder } from 'node:string_decoder'

/** A trial may print what it likes; no more of it than this is kept, and no longer line. */
const maxLogBytes = 8 << 20
export const maxLineBytes = 1 << 20

/** Passes on lines up to 8 MiB in all, then one that says so. */
export function boundedLog(log: (line: string) => void): (line: string) => void {
  let bytes = 0
  return (line) => {
    if (bytes > maxLogBytes) return
    bytes += line.length + 1
    log(bytes > maxLogBytes ? `(more than ${maxLogBytes >> 20} MiB were printed: the rest is left out)` : line)
  }
}

/** What one trial prints, chunk by chunk, as the lines of its log. */
export class PrintedLines {
  readonly #log: (line: string) => void
  #decoder = new StringDecoder()
  #begun = ''

  constructor(log: (line: string) => void) {
    this.#log = boundedLog(log)
  }

  add(chunk: string | Uint8Array): void {
    const lines = `${this.#begun}${typeof chunk === 'string' ? chunk : this.#decoder.write(chunk)}`.split('\n')
    this.#begun = lines.pop()!
    for (const line of lines) this.#log(line.endsWith('\r') ? line.slice(0, -1) : line)
    if (this.#begun.length > maxLineBytes) this.end()
  }

  /** Passes on the last line, whether or not its end was printed. */
  end(): void {
    const line = this.#begun + this.#decoder.end()
    this.#begun = ''
    if (line !== '') this.#log(line)
  }
}

/** What a sweep's trials run, by the file that says so and by git, as it was when a process opened the sweep. */
export interface SweepSource {
  /** The sweep file's name, without its folder. */
  readonly file?: string
  /** The commit of the folder that the code is in: 40 or 64 hexadecimal digits. */
  readonly commit?: string
  readonly branch?: string
  /** Whether files differed from the commit; left out where git did not tell. */
  readonly dirty?: boolean
}

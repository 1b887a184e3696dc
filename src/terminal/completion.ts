import { ruleNames } from '../sweeps/scheduling/rules.js'

/** What a shell must know of a command to complete it. */
export interface CompletableCommand {
  /** As typed: `worker start`. */
  readonly words: string
  readonly summary: string
  readonly flags: readonly CompletableFlag[]
  readonly values: ArgumentKind
}

export interface CompletableFlag {
  readonly name: string
  readonly letter?: string
  readonly summary: string
  readonly takesValue: boolean
  readonly options?: readonly string[]
}

/** What a command's arguments are: an id in the store, an experiment or a file, one of these words, or a file. */
export type ArgumentKind = 'sweep' | 'target' | 'sweep-and-target' | 'file' | readonly string[]

/** Values worth offering for flags that take others too. */
const usual: Readonly<Record<string, readonly string[]>> = {
  profile: ['smoke', 'reduced', 'full'],
  scheduler: ruleNames,
  only: ['missing', 'failed', 'dead', 'cancelled', 'skipped'],
}
/** Flags that name a file or a folder. */
const paths = ['store', 'output', 'out']

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/**
 * A script that teaches a shell to complete mlds. Commands and flags are written into it; ids of sweeps are read from the
 * store's folder by the shell itself, so that no key press waits for Node to start.
 */
export function completionScript(
  shell: Shell,
  commands: readonly CompletableCommand[],
  experiments: readonly string[],
): string {
  return shell === 'fish' ? fishScript(commands, experiments) : shellScript(shell, commands, experiments)
}

const header = (shell: Shell, install: string): string =>
  `# Completion of mlds, written by: mlds completion ${shell}\n# ${install}\n`

/** zsh runs bash's function by its own bridge, so there is one function to keep right. */
function shellScript(
  shell: 'bash' | 'zsh',
  commands: readonly CompletableCommand[],
  experiments: readonly string[],
): string {
  const install =
    shell === 'bash' ? 'eval "$(mlds completion bash)" in ~/.bashrc' : 'eval "$(mlds completion zsh)" in ~/.zshrc'
  const bridge =
    shell === 'bash' ? '' : 'autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n'
  const cases = commands.map(({ words, flags, values }) => {
    const names = flags.flatMap(({ name, letter }) => [`--${name}`, ...(letter === undefined ? [] : [`-${letter}`])])
    return `    '${words}') flags='${names.join(' ')}'; kind='${kindWord(values)}' ;;`
  })
  const ofFlags = new Map<string, CompletableFlag>()
  for (const { flags } of commands) for (const flag of flags) if (flag.takesValue) ofFlags.set(flag.name, flag)
  const chosen = [...ofFlags.values()].map((flag) => {
    const typed = `--${flag.name}${flag.letter === undefined ? '' : `|-${flag.letter}`}`
    const words = flag.options ?? usual[flag.name]
    if (words !== undefined) return `    ${typed}) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur")); return ;;`
    return `    ${typed}) ${paths.includes(flag.name) ? '_mlds_files "$cur"; ' : ''}return ;;`
  })
  return `${header(shell, install)}${bridge}_mlds_files() { COMPREPLY=($(compgen -f -- "$1")); }
_mlds() {
  local cur prev word i typed='' flags='' kind='' sweeps
  COMPREPLY=()
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  case "$prev" in
${chosen.join('\n')}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$word" in -*) continue ;; esac
    typed="\${typed:+$typed }$word"
    case "$typed" in
${cases.join('\n')}
    esac
    if [ -n "$flags" ]; then break; fi
  done
  if [ -z "$flags" ]; then
    COMPREPLY=($(compgen -W '${[...new Set(commands.map(({ words }) => words.split(' ')[0]!))].join(' ')}' -- "$cur"))
    case "$typed" in
${topicsOf(commands)
  .map(([topic, names]) => `    '${topic}') COMPREPLY=($(compgen -W '${names.join(' ')}' -- "$cur")) ;;`)
  .join('\n')}
    esac
    return
  fi
  case "$cur" in -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")); return ;; esac
  sweeps="latest $(command ls "\${MLDS_STORE:-.mlds}/sweeps" 2>/dev/null)"
  case "$kind" in
    sweep) COMPREPLY=($(compgen -W "$sweeps" -- "$cur")) ;;
    target) COMPREPLY=($(compgen -W 'all ${experiments.join(' ')}' -- "$cur") $(compgen -f -- "$cur")) ;;
    sweep-and-target) COMPREPLY=($(compgen -W "$sweeps ${experiments.join(' ')}" -- "$cur") $(compgen -f -- "$cur")) ;;
    file) _mlds_files "$cur" ;;
    *) COMPREPLY=($(compgen -W "$kind" -- "$cur")) ;;
  esac
}
complete -F _mlds mlds
`
}

function fishScript(commands: readonly CompletableCommand[], experiments: readonly string[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const offers = (name: string, options = usual[name]): string =>
    options !== undefined ? ` -f -a ${quoted(options.join(' '))}` : paths.includes(name) ? '' : ' -f'
  const lines = commands.flatMap(({ words, summary, flags, values }) => {
    const [first, second] = words.split(' ') as [string, string?]
    const offered =
      second === undefined
        ? `complete -c mlds -n __fish_use_subcommand -a ${first} -d ${quoted(summary)}`
        : `complete -c mlds -n '__fish_seen_subcommand_from ${first}' -f -a ${second} -d ${quoted(summary)}`
    const seen =
      second === undefined
        ? `'__fish_seen_subcommand_from ${first}'`
        : `'__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}'`
    const ofFlags = flags.map(
      ({ name, letter, summary, takesValue, options }) =>
        `complete -c mlds -n ${seen} -l ${name}${letter === undefined ? '' : ` -s ${letter}`}${takesValue ? ` -r${offers(name, options)}` : ''} -d ${quoted(summary)}`,
    )
    return [
      offered,
      ...ofFlags,
      ...fishValues(values, experiments).map((value) => `complete -c mlds -n ${seen} ${value}`),
    ]
  })
  const topics = topicsOf(commands).map(([topic]) => `complete -c mlds -n __fish_use_subcommand -a ${topic}`)
  return `${header('fish', 'mlds completion fish > ~/.config/fish/completions/mlds.fish')}function __mlds_sweeps
  echo latest
  set -l store .mlds
  set -q MLDS_STORE; and set store $MLDS_STORE
  command ls $store/sweeps 2>/dev/null
end
complete -c mlds -n __fish_use_subcommand -f
${[...topics, ...lines].join('\n')}
`
}

function fishValues(kind: ArgumentKind, experiments: readonly string[]): string[] {
  const sweeps = `-f -a '(__mlds_sweeps)'`
  const targets = `-a '${experiments.join(' ')}'`
  if (kind === 'sweep') return [sweeps]
  if (kind === 'target') return [targets, `-a all`]
  if (kind === 'sweep-and-target') return [sweeps, targets]
  return kind === 'file' ? [] : [`-f -a '${kind.join(' ')}'`]
}

const kindWord = (kind: ArgumentKind): string => (typeof kind === 'string' ? kind : kind.join(' '))

/** First words that stand before others, each with what may follow. */
function topicsOf(commands: readonly CompletableCommand[]): [string, string[]][] {
  const topics = new Map<string, string[]>()
  for (const { words } of commands) {
    const [first, second] = words.split(' ') as [string, string?]
    if (second !== undefined) topics.set(first, [...(topics.get(first) ?? []), second])
  }
  return [...topics]
}

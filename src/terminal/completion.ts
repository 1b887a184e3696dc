import { rerunnable } from '../app/running/left-to-run.js'
import { ruleNames } from '../sweeps/scheduling/rules.js'
import { learningSamplers } from '../sweeps/spec/learning.js'
import { samplerNames } from '../sweeps/spec/samplers.js'

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

export interface CompletableExperiment {
  readonly name: string
  /** What `--set` may name, each with its values where it has only a few. */
  readonly axes: ReadonlyMap<string, readonly string[]>
}

/** What a command's arguments are: an id in the store, a trial of its newest sweep, an experiment or a file, one of these words, or a file. */
export type ArgumentKind = 'sweep' | 'trial' | 'target' | 'sweep-and-target' | 'file' | readonly string[]

/** Values worth offering for flags that take others too. */
const usual: Readonly<Record<string, readonly string[]>> = {
  profile: ['smoke', 'reduced', 'full'],
  scheduler: ruleNames,
  search: [...learningSamplers, ...samplerNames],
  only: rerunnable,
}
/** Flags that name a file or a folder. */
const paths = ['store', 'output', 'out']

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/**
 * A script that teaches a shell to complete mlds. Commands, flags and axes of experiments are written into it; ids of sweeps
 * and trials, and axes of a sweep file, are read by the shell itself, so that no key press waits for Node to start.
 */
export function completionScript(
  shell: Shell,
  commands: readonly CompletableCommand[],
  experiments: readonly CompletableExperiment[],
): string {
  return shell === 'fish' ? fishScript(commands, experiments) : shellScript(shell, commands, experiments)
}

const header = (shell: Shell, install: string): string =>
  `# Completion of mlds, written by: mlds completion ${shell}\n# ${install}\n`

/** zsh runs bash's function by its own bridge, so there is one function to keep right. */
function shellScript(
  shell: 'bash' | 'zsh',
  commands: readonly CompletableCommand[],
  experiments: readonly CompletableExperiment[],
): string {
  const names = experiments.map(({ name }) => name).join(' ')
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
  const axes = experiments.map(
    (experiment) => `    ${experiment.name}) echo '${[...experiment.axes.keys()].join(' ')}'; return ;;`,
  )
  const values = experiments.flatMap(({ name, axes: all }) =>
    [...all].flatMap(([axis, words]) =>
      words.length === 0 ? [] : [`    ${name}:${axis}) echo '${words.join(' ')}' ;;`],
    ),
  )
  const chosen = [...ofFlags.values()]
    .filter(({ name }) => name !== 'set')
    .map((flag) => {
      const typed = `--${flag.name}${flag.letter === undefined ? '' : `|-${flag.letter}`}`
      const words = flag.options ?? usual[flag.name]
      if (words !== undefined)
        return `    ${typed}) COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur")); return ;;`
      return `    ${typed}) ${paths.includes(flag.name) ? '_mlds_files "$cur"; ' : ''}return ;;`
    })
  return `${header(shell, install)}${bridge}_mlds_files() { COMPREPLY=($(compgen -f -- "$1")); }
_mlds_store() {
  local folder=$PWD word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [ "\${COMP_WORDS[i]}" = --store ] || continue
    word=\${COMP_WORDS[i + 1]}
    # In COMP_WORDS, --store=here is three words, each with its quotes.
    [ "$word" = = ] && word=\${COMP_WORDS[i + 2]}
    word=\${word//\\\\/} word=\${word//\\"/} word=\${word//\\'/}
    case "$word" in '~/'*) word=$HOME/\${word#*/} ;; esac
    echo "$word"
    return
  done
  if [ -n "$MLDS_STORE" ]; then echo "$MLDS_STORE"; return; fi
  while [ ! -d "$folder/.mlds" ] && [ "$folder" != "$HOME" ] && [ -n "$folder" ]; do folder=\${folder%/*}; done
  echo "$folder/.mlds"
}
_mlds_trials() {
  local newest=$(command ls -t "$1/sweeps" 2>/dev/null | head -n 1)
  [ -n "$newest" ] && command grep -o '^{"id":"[0-9a-f]*' "$1/sweeps/$newest/plan.json" 2>/dev/null | command cut -d '"' -f 4 | command grep "^$2" | head -n 500
}
_mlds_axes() {
  case "$1" in
${axes.join('\n')}
  esac
  [ -f "$1" ] && command awk '/^axes:/ {on = 1; print; next} /^[^ ]/ {on = 0} on' "$1" | command grep -oE '[A-Za-z_][A-Za-z0-9_.]*:' | command tr -d : | command grep -vxE 'axes|range|linspace|logspace'
}
_mlds_values() {
  case "$1:$2" in
${values.join('\n')}
  esac
}
_mlds() {
  local cur prev word i typed='' flags='' kind='' target='' sweeps
  COMPREPLY=()
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  case "$prev" in
${chosen.join('\n')}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$word" in -*) continue ;; esac
    # A flag's value is no target: only what has axes is.
    if [ -n "$flags" ]; then
      if [ -n "$(_mlds_axes "$word")" ]; then target=$word; break; fi
      continue
    fi
    typed="\${typed:+$typed }$word"
    case "$typed" in
${cases.join('\n')}
    esac
  done
  # In COMP_WORDS, width=8 is three words.
  if [ "$prev" = --set ] && [ "$cur" != = ]; then
    COMPREPLY=($(compgen -S = -W "$(_mlds_axes "$target")" -- "$cur"))
    compopt -o nospace 2>/dev/null
    return
  fi
  if [ "$cur" = = ] && [ "\${COMP_WORDS[COMP_CWORD-2]}" = --set ]; then
    COMPREPLY=($(_mlds_values "$target" "$prev")); return
  fi
  if [ "$prev" = = ] && [ "\${COMP_WORDS[COMP_CWORD-3]}" = --set ]; then
    COMPREPLY=($(compgen -W "$(_mlds_values "$target" "\${COMP_WORDS[COMP_CWORD-2]}")" -- "$cur")); return
  fi
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
  sweeps="latest $(command ls "$(_mlds_store)/sweeps" 2>/dev/null)"
  case "$kind" in
    trial) COMPREPLY=($(_mlds_trials "$(_mlds_store)" "$cur")) ;;
    sweep) COMPREPLY=($(compgen -W "$sweeps" -- "$cur")) ;;
    target) COMPREPLY=($(compgen -W 'all ${names}' -- "$cur") $(compgen -f -- "$cur")) ;;
    sweep-and-target) COMPREPLY=($(compgen -W "$sweeps ${names}" -- "$cur") $(compgen -f -- "$cur")) ;;
    file) _mlds_files "$cur" ;;
    *) COMPREPLY=($(compgen -W "$kind" -- "$cur")) ;;
  esac
}
complete -F _mlds mlds
`
}

function fishScript(commands: readonly CompletableCommand[], experiments: readonly CompletableExperiment[]): string {
  const names = experiments.map(({ name }) => name)
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
    return [offered, ...ofFlags, ...fishValues(values, names).map((value) => `complete -c mlds -n ${seen} ${value}`)]
  })
  const axes = experiments.map(({ name, axes: all }) => {
    const offered = [...all].flatMap(([axis, values]) => [`${axis}=`, ...values.map((value) => `${axis}=${value}`)])
    const seen = `'__fish_seen_subcommand_from sweep plan; and __fish_seen_subcommand_from ${name}'`
    return `complete -c mlds -n ${seen} -l set -r -f -a ${quoted(offered.join(' '))}`
  })
  const topics = topicsOf(commands).map(([topic]) => `complete -c mlds -n __fish_use_subcommand -a ${topic}`)
  return `${header('fish', 'mlds completion fish > ~/.config/fish/completions/mlds.fish')}function __mlds_store
  set -l words (commandline -opc)
  for i in (seq (count $words))
    switch $words[$i]
      case --store
        echo $words[(math $i + 1)] | string replace -r '^~/' $HOME/
        return
      case '--store=*'
        string replace -r '^--store=' '' -- $words[$i]
        return
    end
  end
  if set -q MLDS_STORE
    echo $MLDS_STORE
    return
  end
  set -l folder $PWD
  while test ! -d $folder/.mlds -a "$folder" != "$HOME" -a -n "$folder" -a "$folder" != /
    set folder (dirname $folder)
  end
  echo $folder/.mlds
end
function __mlds_sweeps
  echo latest
  command ls (__mlds_store)/sweeps 2>/dev/null
end
function __mlds_trials
  set -l store (__mlds_store)
  set -l newest (command ls -t $store/sweeps 2>/dev/null | head -n 1)
  test -n "$newest"; and command grep -o '^{"id":"[0-9a-f]*' $store/sweeps/$newest/plan.json 2>/dev/null | command cut -d '"' -f 4 | head -n 500
end
complete -c mlds -n __fish_use_subcommand -f
${[...topics, ...lines, ...axes].join('\n')}
`
}

function fishValues(kind: ArgumentKind, experiments: readonly string[]): string[] {
  const sweeps = `-f -a '(__mlds_sweeps)'`
  const targets = `-a '${experiments.join(' ')}'`
  if (kind === 'trial') return [`-f -a '(__mlds_trials)'`]
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

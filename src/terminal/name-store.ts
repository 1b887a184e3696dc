import { shellWord } from '../core/shell-word.js'

/** Commands of this host's store; a worker's may be any. */
const usingStore =
  /(?<![\w-])mlds (?:audit|best|cancel|compare|dashboard|data add|data fetch|data list|diff|doctor|export|figure|list|logs|nats init|nats prune|nats up|note|pause|plan|recover|rename|report|resume|rm|show|status|sweep|sync|tag|ui|verify|watch)(?![\w-])(?![^\n]*--store)/g

/** The text with `--store` in each command that it advises, so that what is typed finds the store that a person named. */
export function nameStore(text: string, store: string | undefined): string {
  if (store === undefined) return text
  const word = shellWord(store)
  return text.replaceAll(usingStore, (command) => `${command} --store ${word}`)
}

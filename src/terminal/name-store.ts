const usingStore =
  /(?<![\w-])mlds (?:resume|status|verify|sync|show|logs|list|report|figure|export|audit|cancel|pause|watch|recover|sweep|data fetch|data add)(?![\w-])(?![^\n]*--store)/g

/** The text with `--store` in each command that it advises, so that what is typed finds the store that a person named. */
export function nameStore(text: string, store: string | undefined): string {
  if (store === undefined) return text
  const word = /^[\w./~@%+,=-]+$/.test(store) ? store : `'${store.replaceAll("'", `'\\''`)}'`
  return text.replaceAll(usingStore, (command) => `${command} --store ${word}`)
}

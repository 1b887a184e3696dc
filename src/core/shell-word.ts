/** The text as one word for a POSIX shell, between quotes where it needs them, for commands that a person is told to type. */
export const shellWord = (text: string): string =>
  /^[\w./@%+,:-][\w./~@%+,=:-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

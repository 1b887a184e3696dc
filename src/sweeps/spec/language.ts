/** How sweep files and `--set` are read; a spec that says none was written when there was only the first. */
export type Language = 1 | 2 | 3
/**
 * What is read now. In the first, items of a list were notation, and quotes did not make a text of a numeral. Up to the second,
 * numbers of a range had 12 digits, drawn ones 6, and a point drawn twice was not drawn anew.
 */
export const newestLanguage: Language = 3

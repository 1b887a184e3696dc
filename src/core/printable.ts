/** Control characters by C0, DEL and C1, which a terminal obeys; line separators, and marks that turn the direction of what follows. */
const control = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g
const inLines = /(?![\n\t])[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g
const notColour = /(?!\x1b\[[0-9;]*m)(?![\n\t])[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

function escaped(character: string): string {
  const code = character.charCodeAt(0)
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
}

/** Text from outside as one line of a table or a sentence: a terminal shows its control characters and obeys none. */
export const printableLine = (text: string): string => text.replace(control, escaped)

/** The same for a text of several lines. */
export const printable = (text: string): string => text.replace(inLines, escaped)

/** The same for a text that may bring colours. */
export const printableColours = (text: string): string => text.replace(notColour, escaped)

/** Control characters by C0, DEL and C1; a terminal obeys them. */
const control = /[\x00-\x1f\x7f-\x9f]/g
const inLines = /(?![\n\t])[\x00-\x1f\x7f-\x9f]/g
const notColour = /(?!\x1b\[[0-9;]*m)(?![\n\t])[\x00-\x1f\x7f-\x9f]/g

const escaped = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`

/** Text from outside as one line of a table or a sentence: a terminal shows its control characters and obeys none. */
export const printableLine = (text: string): string => text.replace(control, escaped)

/** The same for a text of several lines. */
export const printable = (text: string): string => text.replace(inLines, escaped)

/** The same for a text that may bring colours. */
export const printableColours = (text: string): string => text.replace(notColour, escaped)

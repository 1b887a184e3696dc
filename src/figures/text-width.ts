/** Width of a text in DejaVu Sans, in pixels: advance widths by kind of letter, within a few per cent of the font's own. */
export function estimateWidth(text: string, fontSize: number): number {
  let em = 0
  for (const letter of text)
    em += /[ijl.,:;|' ]/.test(letter)
      ? 0.31
      : /[frtI()[\]/-]/.test(letter)
        ? 0.39
        : /[mwMWÅ@%]/.test(letter)
          ? 0.95
          : /[A-Z]/.test(letter)
            ? 0.7
            : 0.63
  return em * fontSize
}

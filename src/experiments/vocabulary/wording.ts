/** How numbers stand in a verdict's sentence. */

export const round = (value: number, digits = 3): string => value.toFixed(digits)
/** Two significant digits, for numbers of any size. */
export const brief = (value: number): string => value.toPrecision(2)

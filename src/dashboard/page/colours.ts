/** Eight that stay apart for most eyes and on either ground (after Okabe and Ito 2008), then the same again. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#8a6d00', '#56b4e9', '#7a4fbf', '#808080']

export const colourOf = (index: number): string => palette[index % palette.length]!
/** So that lines are told apart without colours. */
export const dashOf = (index: number): number[] =>
  [[], [8, 4], [2, 3], [10, 3, 2, 3]][Math.floor(index / palette.length + index) % 4]!

/** From the style sheet, so that light and dark are decided in one place. */
export function themed(name: 'text' | 'soft' | 'line' | 'ground'): string {
  return getComputedStyle(document.body).getPropertyValue(`--${name}`).trim() || '#888'
}

/** Along viridis (van der Walt and Smith 2015), 0 dark to 1 bright; off the end that the ground would swallow. */
const onLight = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [210, 200, 30],
] as const
const onDark = [
  [150, 90, 210],
  [92, 130, 215],
  [40, 175, 165],
  [110, 210, 100],
  [253, 231, 37],
] as const

/** Colours for shares from 0 to 1 on the ground of now. */
export function gradientOfNow(): (share: number) => string {
  const isDark = matchMedia('screen and (prefers-color-scheme: dark)').matches
  const stops = isDark ? onDark : onLight
  return (share) => {
    const at = Math.min(0.9999, Math.max(0, share)) * (stops.length - 1)
    const [a, b, part] = [stops[Math.floor(at)]!, stops[Math.floor(at) + 1]!, at % 1]
    const [red, green, blue] = a.map((from, i) => Math.round(from + part * (b[i]! - from)))
    return `rgb(${red},${green},${blue})`
  }
}

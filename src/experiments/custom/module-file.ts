/** Names of files that may export an experiment. */
export const moduleFile = /\.(?:ts|mts|cts|js|mjs|cjs)$/

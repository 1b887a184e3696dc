/** Seeds at which claims are first looked at, where seeds are added: of fewer, a spread is hardly known. */
export const firstLook = 5

/** The float32 numbers that some bytes hold, copied: a file's bytes may lie anywhere within a larger buffer. */
export const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer)

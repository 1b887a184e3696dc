import { closeSync, openSync, readSync } from 'node:fs'
import { maxLogPieceBytes } from '../wire/protocol.js'

/** What a trial's log file holds from a byte on, as much as one message takes; nothing where there is no file yet. */
export function readPiece(file: string, from: number): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return Buffer.alloc(0)
  }
  try {
    const piece = Buffer.alloc(maxLogPieceBytes)
    return piece.subarray(0, readSync(descriptor, piece, 0, piece.length, from))
  } finally {
    closeSync(descriptor)
  }
}

/** Most numbers in one piece: few enough to move by a place in no time, many enough that the pieces are few. */
const maxInPiece = 512

/**
 * Numbers in rising order, equal ones included. Adding, taking away and finding the n-th move at most one piece's numbers
 * and look at one length a piece: a million numbers cost some microseconds.
 */
export class SortedNumbers {
  readonly #pieces: number[][] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(value: number): void {
    this.#size++
    const at = Math.min(this.#pieceOf(value), this.#pieces.length - 1)
    if (at < 0) return void this.#pieces.push([value])
    const piece = this.#pieces[at]!
    piece.splice(countBelow(piece, value), 0, value)
    if (piece.length > maxInPiece) this.#pieces.splice(at + 1, 0, piece.splice(maxInPiece >> 1))
  }

  /** Takes one number of this value away, if there is one. */
  remove(value: number): void {
    const at = this.#pieceOf(value)
    const piece = this.#pieces[at]
    if (piece === undefined) return
    const place = countBelow(piece, value)
    if (piece[place] !== value) return
    this.#size--
    piece.splice(place, 1)
    if (piece.length === 0) this.#pieces.splice(at, 1)
  }

  /** How many numbers are below this value. */
  countBelow(value: number): number {
    const at = this.#pieceOf(value)
    let count = 0
    for (let before = 0; before < at; before++) count += this.#pieces[before]!.length
    const piece = this.#pieces[at]
    return piece === undefined ? count : count + countBelow(piece, value)
  }

  /** The middle number, or the mean of the two in the middle; NaN when there are none. */
  median(): number {
    const middle = this.#size >> 1
    return this.#size % 2 === 1 ? this.#at(middle) : (this.#at(middle - 1) + this.#at(middle)) / 2
  }

  #at(index: number): number {
    let left = index
    for (const piece of this.#pieces) {
      if (left < piece.length) return piece[left] ?? NaN
      left -= piece.length
    }
    return NaN
  }

  /** The first piece that ends with this value or a greater one; one beyond the last when all are smaller. */
  #pieceOf(value: number): number {
    let [low, high] = [0, this.#pieces.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#pieces[middle]!.at(-1)! < value) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** How many of the sorted values are below `value`. */
function countBelow(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

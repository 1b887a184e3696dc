/** A stream that is being told; `connect` tries it anew. */
export interface Stream {
  connect(): void
  close(): void
}

/** A page that nobody sees lets its connections go after so long: a browser has six of them for one host. */
const hiddenMs = 5_000

/**
 * A connection that is there while the page is seen, and opened anew when it is seen again.
 * @param open makes it; whoever is told all calls `done`, and it stays closed.
 */
export function whileSeen(open: (done: () => void) => EventSource): Stream {
  let stream: EventSource | undefined
  let hiding: ReturnType<typeof setTimeout> | undefined
  const connect = (): void => {
    stream?.close()
    stream = open(close)
  }
  const drop = (): void => {
    stream?.close()
    stream = undefined
  }
  const heedVisibility = (): void => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(drop, hiddenMs)
    else if (stream === undefined) connect()
  }
  function close(): void {
    document.removeEventListener('visibilitychange', heedVisibility)
    clearTimeout(hiding)
    drop()
  }
  document.addEventListener('visibilitychange', heedVisibility)
  connect()
  return { connect, close }
}

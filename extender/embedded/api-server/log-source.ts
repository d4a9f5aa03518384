export type LogLine = {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Without its end of line. */
  readonly text: string
}

/** What containers wrote, as the kubelet keeps it. */
export interface LogSource {
  /** Undefined where there is no such pod or container; `previous` asks for the run before its last restart. */
  logs(
    pod: { readonly namespace?: string; readonly name: string },
    options?: { readonly container?: string; readonly previous?: boolean }
  ): readonly LogLine[] | undefined
}

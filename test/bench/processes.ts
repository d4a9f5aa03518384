import { readFileSync } from 'node:fs'

/** What the kernel counts of one process. */
export type Usage = {
  /** CPU seconds since its start. */
  readonly cpu: number
  /** MiB now. */
  readonly rss: number
}

/** Linux counts CPU time in hundredths of a second for everybody who reads /proc. */
const ticks = 100

/** Of a process that runs. */
export function usageOf(pid: number | undefined): Usage {
  return usage(readFileSync(`/proc/${pid}/stat`, 'utf8'), readFileSync(`/proc/${pid}/status`, 'utf8'))
}

/** From the texts of /proc/PID/stat and /proc/PID/status. */
export function usage(stat: string, status: string): Usage {
  // The name of the program stands in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(status) ?? []
  return { cpu: (Number(fields[11]) + Number(fields[12])) / ticks, rss: Number(kib) / 1024 }
}

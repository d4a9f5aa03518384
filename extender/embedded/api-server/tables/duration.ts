const minute = 60
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** So many milliseconds as kubectl shows an age: two units at most, the smaller one only while it matters. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 2 * minute) return `${Math.max(seconds, 0)}s`
  if (seconds < 3 * hour) return pair(seconds, [minute, 'm'], seconds < 10 * minute ? [1, 's'] : undefined)
  if (seconds < 2 * day) return pair(seconds, [hour, 'h'], seconds < 8 * hour ? [minute, 'm'] : undefined)
  if (seconds < 2 * year) return pair(seconds, [day, 'd'], seconds < 8 * day ? [hour, 'h'] : undefined)
  return pair(seconds, [year, 'y'], seconds < 8 * year ? [day, 'd'] : undefined)
}

type Unit = readonly [seconds: number, letter: string]

function pair(seconds: number, [size, letter]: Unit, small?: Unit): string {
  const whole = `${Math.floor(seconds / size)}${letter}`
  if (!small) return whole
  const rest = Math.floor((seconds % size) / small[0])
  return rest === 0 ? whole : `${whole}${rest}${small[1]}`
}

/** How long ago a timestamp of an API object was. */
export function since(timestamp: unknown, now: number): string {
  if (typeof timestamp !== 'string' || timestamp === '') return '<unknown>'
  return humanDuration(now - Date.parse(timestamp))
}

import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for what is to come; an error names it. */
export async function untilTrue(what: string, condition: () => boolean, ms = 10_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came: ${what}`)
    await sleep(5)
  }
}

import { reasonOf, UsageError } from '../errors.ts'
import { usage, type Wish, wishOf } from './sandbox-demo/wish.ts'

/** The program of `demo.sh`. */
async function main(args: readonly string[]): Promise<void> {
  const wish = wishOf(args)
  if (wish.help) process.stdout.write(usage)
  else await play(wish)
}

const abandon = (): void => process.exit(130)

/** Whoever has something to clean up does it when the process exits. */
async function play(wish: Wish): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, abandon)
  // Only here: help and what is wrong with a flag come at once.
  const { show } = await import('./sandbox-demo/show.ts')
  await show(wish, line => void process.stdout.write(`${line}\n`))
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`demo.sh: ${reasonOf(error)}\n`)
  process.exit(error instanceof UsageError ? 2 : 1)
})

import type { Demo } from './demo.ts'

/** Runs a demo on standard output. */
export async function run(demo: Demo): Promise<void> {
  process.stdout.write(`── ${demo.name}: ${demo.title}\n`)
  await demo.run(line => process.stdout.write(`${line}\n`))
}

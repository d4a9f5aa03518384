import { parseArgs } from 'node:util'
import { UsageError } from '../errors.ts'
import { threadDemos, threadDemoSuite } from '../embed.ts'
import { parsed } from '../sources.ts'
import { gangDemos } from './demo/gangs.ts'
import { Stage } from './demo/stage.ts'
import { View } from './demo/view.ts'

type Demo = {
  readonly name: string
  readonly summary: string
  run(theatre: Theatre): Promise<void>
}

/** The view, and the stage once something needs it: the demos of worker threads have clusters of their own. */
class Theatre {
  readonly view = new View(process.stdout)
  #stage: Promise<Stage> | undefined

  stage(): Promise<Stage> {
    if (!this.#stage) {
      this.view.hint('Starting a cluster in this process, and muster beside it …')
      this.#stage = Stage.open(this.view)
    }
    return this.#stage
  }

  async close(): Promise<void> {
    const stage = await this.#stage?.catch(() => undefined)
    await stage?.close()
  }
}

const demos: readonly Demo[] = [
  ...gangDemos.map(demo => ({
    ...{ name: demo.name, summary: demo.summary },
    run: async (theatre: Theatre) => demo.run(await theatre.stage())
  })),
  ...threadDemos().map(demo => ({
    ...{ name: demo.name, summary: demo.title },
    run: ({ view }: Theatre) => demo.run(line => view.say(line))
  }))
]
/** The step-by-step example is a text to follow, not a part of the show. */
const longer = threadDemos().filter(demo => !threadDemoSuite.includes(demo))
const show = demos.filter(({ name }) => !longer.some(demo => demo.name === name))

const usage = `Usage: npm run demo [-- [NAME...] [--list] [--keep]]

Shows what muster does, on a cluster inside this process: nothing needs to be installed. Ends by itself.

  NAME     only these, in this order (default: all but step-by-step)
  --list   name them
  --keep   stay up afterwards, for kubectl and a browser, until Ctrl-C
`

async function main(args: readonly string[]): Promise<void> {
  const { names, ...options } = read(args)
  if (options.help) process.stdout.write(usage)
  else if (options.list) for (const { name, summary } of demos) process.stdout.write(`${name.padEnd(18)}${summary}\n`)
  else await play(names.length === 0 ? show : names.map(named), options.keep)
}

function read(args: readonly string[]): { names: readonly string[]; list: boolean; keep: boolean; help: boolean } {
  const flag = { type: 'boolean', default: false } as const
  const options = { list: flag, keep: flag, help: flag }
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], options, allowPositionals: true }))
  return { ...values, names: positionals }
}

function named(name: string): Demo {
  const demo = demos.find(each => each.name === name)
  if (demo) return demo
  throw new UsageError(`there is no demo ${JSON.stringify(name)}; known are ${demos.map(each => each.name).join(', ')}`)
}

const signals = ['SIGINT', 'SIGTERM'] as const
/** Whoever has something to clean up does it when the process exits. */
const abandon = (): void => process.exit(130)

async function play(chosen: readonly Demo[], keep: boolean): Promise<void> {
  const theatre = new Theatre()
  const from = performance.now()
  for (const signal of signals) process.once(signal, abandon)
  try {
    for (const demo of chosen) {
      theatre.view.heading(`${demo.name}: ${demo.summary}`)
      await demo.run(theatre)
    }
    theatre.view.say(`\nThat was all, in ${((performance.now() - from) / 1000).toFixed(1)} s.`)
    if (keep) await stay(await theatre.stage())
  } finally {
    await theatre.close()
  }
}

/** Until Ctrl-C. */
async function stay({ view, kubeconfig, muster, url }: Stage): Promise<void> {
  view.say(`\nThe cluster stays up at ${url}, muster's API at ${muster.apiUrl}. Try:\n`)
  view.say(`  export KUBECONFIG=${kubeconfig} MUSTER_SERVER=${muster.apiUrl}`)
  view.say('  kubectl get nodes,pods -o wide')
  view.say('  npx muster gangs\n')
  view.say('Ctrl-C ends it.')
  // The timer keeps the process alive; the signal ends the wait, so that everything is closed.
  const timer = setInterval(() => {}, 60_000)
  await new Promise<void>(resolve => {
    for (const signal of signals) process.off(signal, abandon).once(signal, () => resolve())
  })
  clearInterval(timer)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof UsageError
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = expected ? 2 : 1
})

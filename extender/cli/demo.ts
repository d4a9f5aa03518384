import { parseArgs } from 'node:util'
import { reasonOf, UsageError } from '../errors.ts'
import { type Demo, explanation, gang, preemption } from './demo/gangs.ts'
import { Stage } from './demo/stage.ts'
import { View } from './demo/view.ts'

const demos: readonly Demo[] = [gang, explanation, preemption]

const usage = `Usage: npm run demo [-- [NAME...] [--list] [--keep]]

Shows what muster does, on a cluster inside this process: nothing needs to be installed. Ends by itself.

  NAME     only these, in this order (default: all)
  --list   name them
  --keep   stay up afterwards, for kubectl and a browser, until Ctrl-C
`

async function main(args: readonly string[]): Promise<void> {
  const { names, ...options } = read(args)
  if (options.help) process.stdout.write(usage)
  else if (options.list) for (const { name, summary } of demos) process.stdout.write(`${name.padEnd(14)}${summary}\n`)
  else await play(names.length === 0 ? demos : names.map(named), options.keep)
}

function read(args: readonly string[]): { names: readonly string[]; list: boolean; keep: boolean; help: boolean } {
  const flag = { type: 'boolean', default: false } as const
  try {
    const options = { list: flag, keep: flag, help: flag }
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return { ...values, names: positionals }
  } catch (error) {
    throw new UsageError(`${reasonOf(error).split('. ')[0]}; see --help`)
  }
}

function named(name: string): Demo {
  const demo = demos.find(each => each.name === name)
  if (demo) return demo
  throw new UsageError(`there is no demo ${JSON.stringify(name)}; known are ${demos.map(each => each.name).join(', ')}`)
}

async function play(chosen: readonly Demo[], keep: boolean): Promise<void> {
  const view = new View(process.stdout)
  const from = performance.now()
  view.say('Starting a cluster in this process, and muster beside it …')
  const stage = await Stage.open(view)
  try {
    for (const demo of chosen) {
      view.heading(`${demo.name}: ${demo.summary}`)
      await demo.run(stage)
    }
    view.say(`\nThat was all, in ${((performance.now() - from) / 1000).toFixed(1)} s.`)
    if (keep) await stay(stage)
  } finally {
    await stage.close()
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
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  clearInterval(timer)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const expected = error instanceof UsageError
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = expected ? 2 : 1
})

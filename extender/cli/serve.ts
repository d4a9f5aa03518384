import { flushCompileCache } from 'node:module'
import { loadConfig, optionHelp } from '../config.ts'

const usage = `Usage: muster serve [options]

Runs the extender until SIGTERM. GET /readyz on --listen answers 200 once it has seen the whole cluster.

${optionHelp()}

Each option is also an environment variable (MUSTER_LISTEN) and a key of the YAML file of --config; flags win over
variables, variables over the file.

Example:
  muster serve --kubeconfig ~/.kube/config --listen 127.0.0.1:8888
`

export const serve = {
  name: 'serve',
  summary: 'run the extender',
  async run(args: readonly string[]): Promise<void> {
    if (args.includes('--help')) process.stdout.write(usage)
    else {
      // Only here: the commands that ask a running muster start without the server's weight.
      const { serve: run } = await import('../main.ts')
      // Now, for the next start: later it would stop the event loop, and who is killed at the end writes nothing.
      flushCompileCache()
      await run(loadConfig(args, process.env))
    }
  }
}

import { profileNames } from '../../config.ts'
import { UsageError } from '../../errors.ts'
import { check } from '../lint/check.ts'
import type { Check } from './check.ts'
import { error, type Note, plain, warning } from './note.ts'

/** What `muster lint` says of kube-scheduler's configuration, its timeouts against `--bind-timeout` among it. */
export const configuration = {
  name: 'configuration',
  async look(ground): Promise<readonly Note[]> {
    const scheduler = await ground.scheduler()
    const fix = 'name its file: muster doctor FILE, or where it is: --configmap NAMESPACE/NAME'
    if (typeof scheduler === 'string') {
      const why = 'whether kube-scheduler asks muster, and how, is not known'
      return [warning({ where: 'KubeSchedulerConfiguration', problem: plain(scheduler), why, fix })]
    }
    const { bindTimeoutMs, schedulerNames: profiles, extender } = await ground.config()
    const builtIn: readonly string[] = profileNames
    const schedulerNames = [...profiles.keys()]
    const namedSchedulers = schedulerNames.filter(name => !builtIn.includes(name))
    const { where, text } = scheduler
    try {
      const found = check(text, { bindTimeoutMs, schedulerNames, namedSchedulers, extender })
      const notes = found.map(({ severity, line, column, rule, problem, ...rest }) => ({
        finding: { severity, where: `${where}:${line}:${column}`, problem: `${problem} (${rule})`, ...rest }
      }))
      return notes.length > 0 ? notes : [{ fact: `${where} is clean` }]
    } catch (cause) {
      if (!(cause instanceof UsageError)) throw cause
      const why = 'kube-scheduler does not start with it'
      return [error({ where, problem: plain(cause.message), why, fix: 'muster scheduler-config prints one' })]
    }
  }
} satisfies Check

import { setTimeout as sleep } from 'node:timers/promises'
import { isBinding } from '../control-plane/api-proxy.ts'
import type { Lab } from '../control-plane/lab.ts'
import type { ManagedProcess } from '../control-plane/process.ts'
import type { Dice } from '../control-plane/random.ts'

/** What breaks: each trouble begins, lasts for a while and is over. */
export interface Trouble {
  readonly name: string
  /** Whether muster is another process afterwards. */
  readonly ends?: true
  begin(): void | Promise<void>
  end(): void | Promise<void>
}

const killed = (name: string, child: ManagedProcess): Trouble => ({
  name: `${name} is killed and restarted`,
  begin: () => child.kill(),
  end: async () => void (await child.start())
})

const stopped = (name: string, child: ManagedProcess): Trouble => ({
  name: `${name} is stopped (SIGSTOP) for a while`,
  begin: () => child.pause(),
  end: () => child.resume()
})

/** Every trouble of a laboratory, in the order in which they are listed in reports. */
export function troublesOf(lab: Lab, dice: Dice): readonly Trouble[] {
  const { api, verbs, muster, scheduler, cluster } = lab
  const chance = (share: number): boolean => dice.next() < share
  const calm = (): void => {
    api.intercept({})
    verbs.before = () => {}
    verbs.fault = () => undefined
  }
  return [
    { ...killed('muster', muster.process), ends: true },
    killed('kube-scheduler', scheduler),
    killed('the API server', cluster.apiServer),
    killed('etcd', cluster.etcd),
    stopped('muster', muster.process),
    stopped('kube-scheduler', scheduler),
    stopped('the API server', cluster.apiServer),
    stopped('etcd', cluster.etcd),
    {
      name: 'the API server is slow (up to 2 s a call)',
      begin: () => api.intercept({ before: () => sleep(dice.next() * 2000) }),
      end: calm
    },
    {
      name: 'every third reply to a Binding is lost',
      begin: () => api.intercept({ loses: call => isBinding(call) && chance(1 / 3) }),
      end: calm
    },
    {
      name: 'every tenth call of the API server is reset, cut short or never answered',
      begin: () =>
        api.intercept({
          fault: () =>
            chance(0.1) ? (['reset', 'truncated', 'blackhole'] as const)[Math.floor(dice.next() * 3)] : undefined
        }),
      end: calm
    },
    { name: 'every connection to the API server is cut', begin: () => api.reset(), end: () => {} },
    { name: 'muster hears nothing of the API server', begin: () => api.freeze(), end: () => api.thaw() },
    {
      name: 'every tenth call of muster is reset, cut short, lost or never answered',
      begin: () => {
        verbs.fault = () =>
          chance(0.1) ? (['reset', 'truncated', 'lost', 'blackhole'] as const)[Math.floor(dice.next() * 4)] : undefined
      },
      end: calm
    },
    {
      name: 'calls of muster take up to 1 s longer',
      begin: () => {
        verbs.before = () => sleep(dice.next() * 1000)
      },
      end: calm
    }
  ]
}

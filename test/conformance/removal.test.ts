import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { stockConfig } from '../control-plane/muster.ts'
import { isBound, isGated, isNominated, podObject } from '../control-plane/objects.ts'
import { isUngating } from '../control-plane/api-proxy.ts'
import { keptRecord } from '../gangs/records.ts'
import { boundIn, gangIsBound, nothingIsHeld, openLab, scenario } from './scenario.ts'

const run = promisify(execFile)
const cli = join(import.meta.dirname, '..', '..', 'extender', 'cli', 'muster.ts')
const size = 4
/** kube-scheduler comes back to a pod whose call failed after up to 10 s. */
const patience = 60_000
const lab = await openLab(t)

if (lab) {
  const { cluster, scheduler } = lab
  const { process: muster } = lab.muster
  const kubeconfig = await cluster.kubeconfig('muster')

  type Removed = {
    readonly pods: readonly object[]
    readonly left: readonly object[]
    readonly next: readonly string[]
  }
  const uninstall = async (how: '--dry-run' | '--yes'): Promise<Removed> => {
    const args = [cli, 'uninstall', how, '--kubeconfig', kubeconfig, '--output', 'json']
    return JSON.parse((await run(process.execPath, args)).stdout) as Removed
  }

  /** The configuration of the scheduler that clusters have anyway. */
  const defaultScheduler = async (): Promise<string> => {
    const file = join(cluster.site.dir, 'scheduler-default.yaml')
    const config = {
      ...{ apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' },
      clientConnection: { kubeconfig: await cluster.kubeconfig('system:kube-scheduler') },
      leaderElection: { leaderElect: false }
    }
    await writeFile(file, JSON.stringify(config))
    return file
  }

  scenario(
    t,
    lab,
    ['removed for good, its gated and nominated pods run one by one', { faults: true }],
    async (t, ns) => {
      await lab.createNodes('node', size)
      // One gang is nominated, and cut off before it is let go; the other one has no room for all.
      const never = new Promise<void>(() => {})
      lab.api.intercept({ before: call => (isUngating(call) ? never : undefined) })
      await lab.createGang(ns, { name: 'nominated', size: 2, gated: true })
      const ready = (): number => lab.podsIn(ns, 'nominated').filter(pod => isGated(pod) && isNominated(pod)).length
      await lab.waitFor('the gang is nominated behind its gate', () => ready() === 2)
      await lab.createGang(ns, { name: 'waiting', size: size + 1, gated: true })
      await lab.createGang(ns, { name: 'ungated', size: size + 1, gated: false })
      await lab.halt()
      lab.api.intercept({})

      const listed = await uninstall('--dry-run')
      t.strictSame([listed.pods.length, listed.left.length], [2 + size + 1, 2 + size + 1])
      t.equal(ready(), 2, 'a dry run changes nothing')
      const done = await uninstall('--yes')
      t.strictSame([done.pods.length, done.left.length], [2 + size + 1, 0])
      t.match(done.next.join('\n'), /12 pods wait for the scheduler muster/)
      await lab.waitFor(
        'no gate and no nomination is left',
        () => !lab.podsIn(ns).some(pod => isGated(pod) || isNominated(pod))
      )
      t.equal(boundIn(lab, ns), 0, 'nobody has bound anybody yet')

      lab.verbs.forget()
      const alone = await cluster.scheduler(await stockConfig(cluster))
      await alone.start()
      try {
        await lab.waitFor('the nodes are full', () => boundIn(lab, ns) === size, patience)
        t.strictSame(lab.verbs.of('filter').length, 0, 'and nobody was asked')
        t.strictSame(
          await uninstall('--yes'),
          { ...(await uninstall('--dry-run')), pods: [], left: [] },
          'again: nothing to do'
        )
      } finally {
        await alone.kill()
        await lab.start()
      }
    }
  )

  scenario(
    t,
    lab,
    ['an outage of muster: others are scheduled, ours wait and go on', { faults: true }],
    async (t, ns) => {
      await lab.createNodes('node', 2 * size, { slots: 2 })
      const stock = await cluster.scheduler(await defaultScheduler())
      await stock.start()
      try {
        await muster.kill()
        await lab.createGang(ns, { name: 'gated', size, gated: true })
        await lab.createGang(ns, { name: 'ungated', size, gated: false })
        await lab.createPods(ns, [podObject('ours')])
        await lab.createPods(ns, [podObject('foreign', { schedulerName: 'default-scheduler' })])
        await lab.waitFor('a pod of the default scheduler is bound', () => boundIn(lab, ns) === 1)
        await lab.waitFor('kube-scheduler has tried in vain', () =>
          lab
            .podsIn(ns)
            .some(({ status }) => status.conditions?.some(({ reason }) => reason === 'SchedulerError') === true)
        )
        t.strictSame(
          lab
            .podsIn(ns)
            .filter(isBound)
            .map(pod => pod.metadata.name),
          ['foreign']
        )
        await muster.start()
        for (const gang of ['gated', 'ungated']) await gangIsBound(lab, ns, gang, size, patience)
        await lab.waitFor('the single pod as well', () => boundIn(lab, ns) === 2 * size + 2, patience)
        await nothingIsHeld(lab)
      } finally {
        await stock.kill()
      }
    }
  )

  scenario(
    t,
    lab,
    ['a gang that a former version began is completed where it had planned', { faults: true }],
    async (t, ns) => {
      const { bound, annotations } = keptRecord('unversioned')
      await lab.createNodes('node', size)
      await lab.halt()
      await lab.createGang(ns, { name: 'train', size, gated: false })
      const { uid } = (
        await cluster.client.get<{ metadata: { uid: string } }>(`/api/v1/namespaces/${ns}/pods/${bound.pod}`)
      ).metadata
      await cluster.client.create(`/api/v1/namespaces/${ns}/pods/${bound.pod}/binding`, {
        ...{ apiVersion: 'v1', kind: 'Binding', metadata: { name: bound.pod, uid, annotations } },
        target: { kind: 'Node', name: bound.node }
      })
      await lab.waitFor('its first member is bound', () => boundIn(lab, ns) === 1)
      await lab.start()
      await gangIsBound(lab, ns, 'train', size, patience)
      const planned = JSON.parse(annotations['muster.dev/plan-members'] ?? '') as Readonly<Record<string, string>>
      t.strictSame(Object.fromEntries(lab.podsIn(ns).map(pod => [pod.metadata.name, pod.spec.nodeName])), planned)
      t.ok(scheduler.running)
      await nothingIsHeld(lab)
    }
  )
}

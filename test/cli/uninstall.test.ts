import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Clock } from '../../extender/clock.ts'
import { leftovers, remove } from '../../extender/cli/uninstall/removal.ts'
import { nextSteps } from '../../extender/cli/uninstall/next-steps.ts'
import { embed } from '../../extender/embed.ts'
import { gangGate } from '../../policies/names.ts'
import { compare } from '../../policies/text.ts'
import type { Pod } from '../control-plane/objects.ts'
import { muster } from './run.ts'
import { FakeRemains } from './remains.ts'

/** A cluster without a scheduler, so that nothing happens to pods but what the command does. */
async function cluster(t: Test) {
  const kubeconfig = join(t.testdir({}), 'kubeconfig')
  const embedded = await embed({ nodes: 1, kubeconfigFile: kubeconfig })
  t.teardown(() => embedded.stop())
  const { client } = embedded.cluster
  const pod = (name: string, spec: object, nominated?: string) => {
    const full = { containers: [{ name: 'main', image: 'none' }], ...spec }
    client.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: full
    })
    if (nominated !== undefined) {
      const status = { status: { nominatedNodeName: nominated } }
      client.patch({ resource: 'pods', namespace: 'default', name }, status, { subresource: 'status' })
    }
  }
  return {
    kubeconfig,
    client,
    pod,
    run: (...args: string[]) => muster(['uninstall', '--kubeconfig', kubeconfig, ...args])
  }
}

t.test('one of --dry-run and --yes has to be said, and no cluster is no success', async t => {
  const config = JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }]
  })
  const kubeconfig = join(t.testdir({ kubeconfig: config }), 'kubeconfig')
  const said = {
    stdout: '',
    stderr: 'muster: say one of --dry-run, which only lists, and --yes, which does it\n',
    code: 2
  }
  t.strictSame(await muster(['uninstall']), said)
  t.strictSame(await muster(['uninstall', '--yes', '--dry-run']), said)
  const { stderr, code } = await muster(['uninstall', '--yes', '--kubeconfig', kubeconfig])
  t.match(
    stderr,
    /^muster: the API server at http:\/\/127\.0\.0\.1:1 does not answer: .*ECONNREFUSED.*; is --kubeconfig right\?\n$/
  )
  t.equal(code, 2)
})

t.test('it lists, takes away, and finds nothing the next time', async t => {
  const { client, pod, run } = await cluster(t)
  pod('gated', { schedulerName: 'muster', schedulingGates: [{ name: gangGate }] }, 'node-1')
  pod('gated-twice', { schedulerName: 'muster', schedulingGates: [{ name: gangGate }, { name: 'others' }] })
  pod('nominated', { schedulerName: 'muster' }, 'node-1')
  pod('foreign', { schedulerName: 'default-scheduler' }, 'node-1')
  pod('strange', { schedulerName: 'nobody', schedulingGates: [{ name: gangGate }] })
  pod('plain', { schedulerName: 'muster' })

  const rows = [
    'POD                   SCHEDULER   GATED   NOMINATED',
    'default/gated         muster      yes     node-1',
    'default/gated-twice   muster      yes',
    'default/nominated     muster              node-1',
    'default/strange       nobody      yes'
  ].join('\n')
  const listed = await run('--dry-run')
  t.ok(listed.stdout.startsWith(`On 4 pods that wait something of muster is left:\n\n${rows}\n\nStill to do:\n`))
  t.match(
    listed.stdout,
    /\n {2}- kubectl delete -k manifests\/base .*\n {2}- 4 pods wait for the scheduler muster: give/
  )
  t.equal(listed.code, 0)
  const before = JSON.parse((await run('--dry-run', '--output', 'json')).stdout)
  t.strictSame(before.left, before.pods, 'a dry run changes nothing')

  const done = await run('--yes')
  t.match(done, { stdout: /^Took away what muster had left on 4 pods\.\n/, stderr: '', code: 0 })
  const state = client.list('pods').items.map(each => {
    const { metadata, spec, status } = each as unknown as Pod
    const gates = (spec.schedulingGates ?? []).map(gate => gate.name)
    return `${metadata.name}: ${gates.join()} ${status.nominatedNodeName ?? ''}`.trim()
  })
  t.strictSame(state.toSorted(compare), [
    'foreign:  node-1',
    'gated-twice: others',
    'gated:',
    'nominated:',
    'plain:',
    'strange:'
  ])
  t.match(await run('--yes'), { stdout: /^Nothing of muster is left on pods that wait\.\n/, code: 0 })
})

/** No time passes. */
const instant: Clock = {
  now: () => 0,
  wall: () => 0,
  after: (_, task) => {
    queueMicrotask(task)
    return () => {}
  }
}

t.test('what fails for a moment is had in the next pass, with few writes at a time', async t => {
  const remains = new FakeRemains(200, write => (write.count === 1 && write.pod.endsWith('7') ? 'failed' : 'done'))
  t.strictSame(await remove(remains, instant), { left: [], problems: [] })
  t.equal(remains.most, 16)
  t.equal(remains.writes, 2 * 200 + 2 * 20, 'each once, those that failed once more')
})

t.test('what is put back again and again is told, and left', async t => {
  const remains = new FakeRemains(3, () => 'put back')
  const { left, problems } = await remove(remains, instant)
  t.strictSame([left.length, problems], [3, []])
  const refused = new FakeRemains(100, () => 'failed')
  const end = await remove(refused, instant)
  t.equal(end.left.length, 100)
  t.strictSame(end.problems.length, 5, 'a few lines are enough')
  t.match(end.problems[0], /^ns\/pod-\d+: forbidden$/)
})

t.test('pods that cannot be read are no empty cluster', async t => {
  const remains = new FakeRemains(1, () => 'done')
  remains.unreadable = 'the list was answered with 403: forbidden'
  await t.rejects(leftovers(remains), {
    name: 'UsageError',
    message: 'cannot read the pods: the list was answered with 403: forbidden'
  })
})

t.test('what is still to be done names policies, schedulers and resources', async t => {
  t.strictSame(
    nextSteps({
      policies: [{ name: 'muster-gates', bindings: ['muster-gates-all'] }],
      waiting: new Map([['muster', 1]]),
      asks: new Set(['muster.dev/gang'])
    }),
    [
      'kubectl delete mutatingadmissionpolicybinding muster-gates-all   # it gates new pods',
      'kubectl delete mutatingadmissionpolicy muster-gates',
      'kubectl delete -k manifests/base   # or the folder that was applied; ./setup.sh --remove after ./setup.sh',
      '1 pod waits for the scheduler muster: give them a kube-scheduler with a profile of that name and no extenders, or make them anew with another schedulerName',
      'pods ask for muster.dev/gang, which no node offers: in that profile, pluginConfig: [{name: NodeResourcesFit, args: {ignoredResourceGroups: [muster.dev]}}]'
    ]
  )
})

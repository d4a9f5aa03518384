import t from 'tap'
import { KubernetesCluster } from '../../extender/embed.ts'
import { KubernetesCluster as ThreadCluster } from '../../extender/embedded/k4s/cluster.ts'
import { isReady, type Pod } from '../../extender/embedded/kinds.ts'
import { FakeExtender } from './fake-extender.ts'
import { dice } from './parts.ts'
import { container, containersOf, k4s, manifest, podOf, replicas, restartsOf, service, tally, texts } from './k4s.ts'
import { untilTrue } from './until.ts'

t.setTimeout(120_000)

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

t.test(
  'S4.48 a cluster starts, takes YAML, delivers and stops; before and after, it says that it does not run',
  async t => {
    const cluster = new KubernetesCluster({ root: import.meta.dirname })
    t.throws(() => cluster.api.send('a', 1), /does not run: start\(\) comes first/)
    await cluster.start()
    t.teardown(() => cluster.stop())
    await t.rejects(cluster.start(), /runs already/)
    await cluster.applyYaml(manifest(container('echo', 'fragile'), service('echo')))
    cluster.api.sendToService('echo', 'hello')
    t.equal(await cluster.api.requestService('echo', 'hello'), 'hello')
    await Promise.all([cluster.stop(), cluster.stop()])
    await cluster.stop()
    t.throws(() => cluster.api.send('echo', 1), /does not run/)
  }
)

t.test('S4.48 with an extender, kube-scheduler’s loop places the containers, and asks it', async t => {
  const extender = await new FakeExtender({ filter: () => ({ NodeNames: ['node-1'], Error: '' }) }).start()
  t.teardown(() => extender.stop())
  const options = { root: import.meta.dirname, nodes: 3, extender: extender.url }
  const cluster = await new KubernetesCluster(options).start()
  t.teardown(() => cluster.stop())
  await cluster.applyYaml(manifest(container('a', 'who')))
  await untilTrue('the call of bind', () => extender.calls.length >= 2)
  t.strictSame(extender.lines, ['filter a node-0,node-1,node-2', 'bind a node-1'])
  await t.rejects(new ThreadCluster(options).start(), /an extender needs a placement that asks it/)
})

t.test('S4.2 S4.49 CRUD: containers, replica sets and services are created, read, updated and deleted', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('c', 'who'), replicas('r', 2, 'who'), service('s', 'r-*')))
  await Promise.all(['c', 'r'].map(name => cluster.ready(name)))
  t.equal(cluster.get('Container', 'c'), cluster.get('Pod', 'c'))
  t.match(cluster.get('ReplicaSet', 'r'), { spec: { replicas: 2 }, status: { readyReplicas: 2 } })
  t.match(cluster.get('Service', 's'), { metadata: { annotations: { 'k4s/selector': 'r-*' } } })
  t.strictSame(containersOf(cluster), ['c', 'r-0', 'r-1'])
  t.strictSame(
    [cluster.list('ReplicaSet').length, cluster.list('Service', 'default').length, cluster.list('Pod', 'other').length],
    [1, 1, 0]
  )
  await cluster.applyYaml(manifest(container('c', 'tell'), replicas('r', 1, 'who'), service('s', 'c')))
  await Promise.all(['c', 'r'].map(name => cluster.ready(name)))
  t.match(await cluster.api.requestService('s', 1), { name: 'c' })
  await Promise.all([
    cluster.delete('Container', 'c'),
    cluster.delete('ReplicaSet', 'r'),
    cluster.delete('Service', 's')
  ])
  t.strictSame(
    [cluster.get('Container', 'c'), cluster.get('ReplicaSet', 'r'), cluster.get('Service', 's')],
    times(3, () => undefined)
  )
  await cluster.until(() => containersOf(cluster).length === 0)
  t.throws(() => cluster.get('Gadget', 'x'), { name: 'StatusError', message: 'there is no kind Gadget' })
  await t.rejects(cluster.delete('Container', 'c'), /pods "c" not found/)
})

t.test(
  'S4.13 S4.37 S4.49 fire and forget: sending returns before anybody has received, and more than is taken waits',
  async t => {
    const cluster = await k4s(t)
    await cluster.applyYaml(manifest(container('sink', 'sink'), service('sinks', 'sink')))
    const sent = times(200, n => (n % 2 === 0 ? cluster.api.send('sink', n) : cluster.api.sendToService('sinks', n)))
    t.ok(sent.every(answer => answer === undefined))
    t.notOk(podOf(cluster, 'sink') !== undefined && isReady(podOf(cluster, 'sink')!), 'nothing runs yet')
    await cluster.ready('sink')
    t.strictSame(
      await cluster.api.request('sink', '?'),
      times(200, n => n),
      'all of it, in order'
    )
  }
)

t.test('S4.35 S4.37 a queue that is full refuses, and says so; a value that cannot be copied, too', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('deaf', 'fragile', { gracePeriodSeconds: 0 }), service('deaf')))
  await cluster.ready('deaf')
  cluster.api.send('deaf', 'spin')
  const fill = () => {
    for (;;) cluster.api.send('deaf', 0)
  }
  t.throws(fill, /the queue is full: 100000 messages wait already/)
  t.throws(() => cluster.api.sendToService('deaf', 0), /the queue is full/)
  await t.rejects(cluster.api.request('deaf', 0), /the queue is full/)
  await t.rejects(cluster.api.requestService('deaf', 0), /the queue is full/)
  t.throws(() => cluster.api.send('deaf', () => 1), { name: 'DataCloneError' })
})

t.test('S4.14 S4.36 S4.49 request and response: a future: the answer, an error, or too late', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('odd', 'odd'), container('mute', 'fragile'), service('mutes', 'mute')))
  await Promise.all(['odd', 'mute'].map(name => cluster.ready(name)))
  const { api } = cluster
  t.equal(await api.request('odd', 'twice'), 1, 'the first answer counts')
  await t.rejects(api.request('odd', 'error'), { message: 'out of range' })
  await t.rejects(api.request('odd', 'text'), { message: 'just text' })
  t.equal(await api.request('odd', 'wait'), undefined, 'a receiver may wait for some time only')
  const late = { name: 'DeliveryError', message: 'no answer from container mute within 10 ms' }
  await t.rejects(api.request('mute', 'hang', { timeoutMs: 10 }), late)
  await t.rejects(api.requestService('mutes', 'hang', { timeoutMs: 10 }), /no answer from service mutes within 10 ms/)
  await t.rejects(api.request('mute', 'throw'), { message: 'container mute ended: as you wish' })
  await cluster.until(() => restartsOf(cluster, 'mute') === 1)
  t.equal(await api.request('mute', 'back', { timeoutMs: Infinity }), 'back', 'for ever is no mistake')
  await t.rejects(api.request('nobody', 1), /there is no container nobody in namespace default/)
  await t.rejects(api.requestService('nobody', 1), /there is no service nobody in namespace default/)
  t.throws(() => api.sendToService('nobody', 1), /there is no service nobody/)
})

t.test('a container that has come to its end, or ends unasked, answers nobody; who waits learns of it', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(container('a', 'fragile', { restartPolicy: 'Never' }), service('a')))
  await cluster.ready('a')
  cluster.api.send('a', 'exit')
  const waits = times(3, n => cluster.api.request('a', n))
  for (const wait of waits) await t.rejects(wait, /container a/)
  await cluster.until(() => podOf(cluster, 'a')!.status!.phase === 'Failed')
  await t.rejects(cluster.api.request('a', 1), /there is no container a/)
})

t.test(
  'S4.15 S4.18 S4.20 S4.49 load balancing: a Service picks one of its containers for each message, by the dice',
  async t => {
    const ask = async () => {
      const cluster = await k4s(t, { random: dice(7) })
      await cluster.applyYaml(manifest(replicas('who', 3, 'who'), service('who', 'who-*')))
      await cluster.ready('who')
      const answers = await Promise.all(times(90, () => cluster.api.requestService('who', '?')))
      await cluster.stop()
      return answers
    }
    const [one, other] = [await ask(), await ask()]
    const counts = tally(one)
    t.strictSame(Object.keys(counts).toSorted(), ['who-0', 'who-1', 'who-2'])
    for (const count of Object.values(counts)) t.ok(count > 15, `each has its share: ${count} of 90`)
    t.notSame(one.slice(0, 30), one.slice(30, 60), 'in no order')
    t.strictSame(one, other, 'the same dice, the same choice')
  }
)

t.test('S4.19 selectors are globs over names, or labels', async t => {
  const cluster = await k4s(t)
  const names = ['api-0', 'api-1', 'api-10', 'api-b', 'web-0']
  const cases = {
    'api-*': ['api-0', 'api-1', 'api-10', 'api-b'],
    'api-?': ['api-0', 'api-1', 'api-b'],
    'api-[!0-9]': ['api-b'],
    'api-[01]': ['api-0', 'api-1'],
    '*-0': ['api-0', 'web-0'],
    'web-0': ['web-0'],
    '*': names
  }
  const labelled = { ...container('web-0', 'who'), metadata: { name: 'web-0', labels: { app: 'web' } } }
  await cluster.applyYaml(manifest(...names.slice(0, -1).map(name => container(name, 'who')), labelled))
  await Promise.all(names.map(name => cluster.ready(name)))
  for (const [glob, want] of Object.entries(cases)) {
    await cluster.applyYaml(manifest(service('s', glob)))
    const answers = await Promise.all(times(60, () => cluster.api.requestService('s', '?')))
    t.strictSame(Object.keys(tally(answers)).toSorted(), want, glob)
  }
  await cluster.applyYaml(manifest(service('by-label', { app: 'web' })))
  t.equal(await cluster.api.requestService('by-label', '?'), 'web-0')
})

t.test('S4.12 a Service that matches nobody: an event warns, messages wait, and come when somebody does', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(service('s', 'later-*')))
  await cluster.until(() => cluster.list('Event').some(event => event['reason'] === 'NoMatchingPods'))
  cluster.api.sendToService('s', 1)
  const answer = cluster.api.requestService('s', 2)
  const late = cluster.api.requestService('s', 3, { timeoutMs: 10 })
  await t.rejects(late, /no answer from service s within 10 ms/)
  await cluster.applyYaml(manifest({ ...container('later-0', ''), spec: { module: 'muster:echo' } }))
  t.equal(await answer, 2)
  t.strictSame(texts(cluster.logs('later-0')), ['echo 1', 'echo 2'], 'what nobody waits for any more is not delivered')
  await cluster.applyYaml(manifest(service('t', 'never-*')))
  const lost = cluster.api.requestService('t', 1)
  await Promise.all([t.rejects(lost, /service default\/t is gone/), cluster.delete('Service', 't')])
})

t.test(
  'S4.21 S4.22 S4.23 S4.49 scaling both ways: replicas come and go while requests keep coming, and no sender notices',
  async t => {
    const cluster = await k4s(t)
    await cluster.applyYaml(manifest(replicas('who', 1, 'slow'), service('who', 'who-*')))
    await cluster.ready('who')
    const answers: unknown[] = []
    const failures: unknown[] = []
    const state = { on: true }
    const sender = async () => {
      while (state.on) {
        const answer = cluster.api.requestService('who', 2)
        await answer.then(
          name => answers.push(name),
          error => failures.push(error)
        )
      }
    }
    const senders = times(12, sender)
    const seen = (...names: string[]) => untilTrue(names.join(), () => names.every(name => answers.includes(name)))
    await seen('who-0')
    await cluster.scale('who', 4)
    await cluster.ready('who')
    t.strictSame(containersOf(cluster), ['who-0', 'who-1', 'who-2', 'who-3'])
    await seen('who-1', 'who-2', 'who-3')
    await cluster.scale('who', 1)
    await cluster.ready('who')
    await cluster.until(() => containersOf(cluster).length === 1)
    answers.length = 0
    await seen('who-0')
    state.on = false
    await Promise.all(senders)
    t.strictSame(tally(answers), { 'who-0': answers.length }, 'those that left are asked no more')
    t.strictSame(failures, [])
    await t.rejects(cluster.scale('who', -1), /-1 is no number of replicas/)
    await t.rejects(cluster.scale('nobody', 1), /"nobody" not found/)
  }
)

t.test('S4.23 what a replica has not answered when it goes is asked of another', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(replicas('r', 2, 'fragile', { gracePeriodSeconds: 1 }), service('r', 'r-1')))
  await cluster.ready('r')
  cluster.api.send('r-1', 'spin')
  const stuck = times(5, n => cluster.api.requestService('r', n))
  const byName = cluster.api.request('r-1', 1)
  cluster.api.sendToService('r', 'spin')
  await cluster.applyYaml(manifest(service('r', 'r-[02]'), container('r-2', 'fragile')))
  await Promise.all([cluster.scale('r', 1), t.rejects(byName, /container r-1 was removed/)])
  t.strictSame(await Promise.all(stuck), [0, 1, 2, 3, 4])
})

t.test('S4.23 what waits in a replica when it and its Service go is told to who waits, and harms nobody', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(
    manifest(container('a', 'fragile', { gracePeriodSeconds: 0 }), service('a'), container('b', 'who'))
  )
  await Promise.all(['a', 'b'].map(name => cluster.ready(name)))
  cluster.api.send('a', 'spin')
  for (const value of [1, 2]) cluster.api.sendToService('a', value)
  const waiting = cluster.api.requestService('a', 3)
  await cluster.delete('Service', 'a')
  await Promise.all([t.rejects(waiting, /there is no service a/), cluster.delete('Container', 'a')])
  t.equal(await cluster.api.request('b', '?'), 'b')
})

t.test('S4.16 S4.17 S4.49 between containers: they ask containers and Services, and send to them', async t => {
  const cluster = await k4s(t)
  const objects = [container('relay', 'relay'), replicas('who', 2, 'who'), service('who', 'who-*')]
  await cluster.applyYaml(
    manifest(...objects, container('herald', 'herald'), container('sink', 'sink'), service('sinks', 'sink'))
  )
  await cluster.ready('who')
  const ask = (operation: string, target: string) => cluster.api.request('relay', { operation, target, value: 1 })
  t.equal(await ask('request', 'who-1'), 'who-1')
  t.match(await ask('requestService', 'who'), /^who-[01]$/)
  await t.rejects(ask('request', 'nobody'), { message: 'there is no container nobody in namespace default' })
  await t.rejects(ask('requestService', 'nobody'), { message: 'there is no service nobody in namespace default' })
  cluster.api.send('herald', 'news')
  await untilTrue('an unheard message in the log', () => (cluster.logs('herald')?.length ?? 0) > 0)
  t.match(cluster.logs('herald')![0]!.text, /^send nobody: Error: there is no container nobody in namespace default$/)
  t.strictSame(await cluster.api.request('sink', '?'), ['news', 'news'])
})

const inOther = (object: { metadata: object }) => ({
  ...object,
  metadata: { ...object.metadata, namespace: 'other' }
})

t.test('S4.51 namespaces do not mix', async t => {
  const cluster = await k4s(t)
  const space = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }
  await cluster.applyYaml(
    manifest(space, ...[container('a', 'tell'), service('s', '*')].map(inOther), container('b', 'who'))
  )
  const answer = await cluster.api.requestService('s', 1, { namespace: 'other' })
  t.match(answer, { name: 'a', namespace: 'other' })
  await t.rejects(cluster.api.request('a', 1), /there is no container a in namespace default/)
  t.equal(cluster.get('Pod', 'a'), undefined)
  t.ok(cluster.get('Pod', 'a', 'other'))
  await cluster.delete('Namespace', 'other')
  t.equal(cluster.list('Pod', 'other').length, 0)
})

t.test('S4.10 S4.49 replica sets: containers are name-0, name-1, …, and one that is lost is replaced', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(replicas('r', 3, 'fragile')))
  await cluster.ready('r')
  t.strictSame(containersOf(cluster), ['r-0', 'r-1', 'r-2'])
  const { uid } = podOf(cluster, 'r-1')!.metadata
  await cluster.delete('Container', 'r-1')
  await cluster.ready('r')
  t.strictSame(containersOf(cluster), ['r-0', 'r-1', 'r-2'])
  t.not(podOf(cluster, 'r-1')!.metadata.uid, uid)
  cluster.api.send('r-2', 'throw')
  await cluster.until(() => restartsOf(cluster, 'r-2') === 1)
  t.equal(await cluster.api.request('r-2', 'back'), 'back', 'one that crashes keeps its name, and starts again')
})

t.test('S4.3 many at once: writers of one object, senders to one Service', async t => {
  const cluster = await k4s(t)
  const write = (n: number) => cluster.applyYaml(manifest(replicas('r', (n % 4) + 1, 'who'), service('r', 'r-*')))
  await Promise.all(times(40, write))
  t.equal(cluster.list('ReplicaSet').length, 1)
  await Promise.all([cluster.scale('r', 2), cluster.scale('r', 5), cluster.scale('r', 3)])
  await cluster.ready('r')
  await cluster.until(() => containersOf(cluster).length === 3)
  const answers = await Promise.all(times(500, () => cluster.api.requestService('r', '?')))
  t.equal(answers.length, 500)
  t.strictSame(Object.keys(tally(answers)).toSorted(), ['r-0', 'r-1', 'r-2'])
})

/** Two workers that tell their version, from upstream's kind. */
const deployment = (version: string) => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'd' } },
    template: {
      metadata: {
        labels: { app: 'd' },
        annotations: {
          ...{ 'k4s/module': 'worker-functions.ts', 'k4s/function': 'tell' },
          'k4s/params': JSON.stringify({ version })
        }
      },
      spec: { containers: [{ name: 'main', image: 'x' }] }
    }
  }
})

t.test('S4.51 other kinds run workers, too: a Deployment is rolled over without a failed request', async t => {
  const cluster = await k4s(t)
  const isDone = () => {
    const { spec, status, metadata } = cluster.get('Deployment', 'd') as Pod & { status: Record<string, number> }
    const counts = [status?.['replicas'], status?.['updatedReplicas'], status?.['availableReplicas']]
    return counts.every(count => count === spec['replicas']) && status['observedGeneration'] === metadata.generation
  }
  await cluster.applyYaml(manifest(deployment('1'), service('d', { app: 'd' })))
  await cluster.until(isDone)
  await cluster.applyYaml(manifest(deployment('2')))
  const versions: unknown[] = []
  while (!isDone())
    versions.push(((await cluster.api.requestService('d', 0)) as { params: { version: string } }).params.version)
  t.match(await cluster.api.requestService('d', 0), { params: { version: '2' } })
  t.equal(versions.lastIndexOf('1') < versions.length, true)
  await cluster.scale('d', 3, { kind: 'Deployment' })
  await cluster.until(isDone)
})

t.test('S4.34 fifty containers end by their sentinels, all at once', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(manifest(replicas('r', 50, 'who', { memory: '16Mi' })))
  await cluster.ready('r', 60_000)
  const start = performance.now()
  await cluster.stop(60_000)
  const ms = Math.round(performance.now() - start)
  t.comment(`${ms} ms`)
  t.ok(ms < 5000, `${ms} ms; the limit here is wide, since other tests run beside`)
})

t.test('a cluster stops although nothing in it hears the sentinel', async t => {
  const cluster = await k4s(t)
  await cluster.applyYaml(
    manifest(
      container('a', 'fragile'),
      container('b', 'broken'),
      container('c', 'stubborn'),
      container('d', 'who', { module: 'gone.ts' })
    )
  )
  await Promise.all(['a', 'c'].map(name => cluster.ready(name)))
  cluster.api.send('a', 'spin')
  const parked = cluster.api.request('a', 1)
  await Promise.all([cluster.stop(100), cluster.stop(100), t.rejects(parked, /the cluster stops/)])
})

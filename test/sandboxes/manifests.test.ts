import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { parse, parseAllDocuments } from 'yaml'
import { sandbox } from '../../extender/cli/sandbox.ts'
import { embed } from '../../extender/embed.ts'
import { lookupIn } from '../../extender/embedded/resolver.ts'
import { startScheduler } from '../../extender/sandbox.ts'
import { startActivatorAt, tourAt } from '../../extender/sandbox-services.ts'
import { untilTrue } from '../embedded/until.ts'
import type { Loose } from './serve.ts'

t.setTimeout(120_000)

const root = join(import.meta.dirname, '..', '..')
const folder = join(root, 'manifests/sandbox')
const read = (file: string) => readFileSync(join(folder, file), 'utf8')
const { resources, namespace } = parse(read('kustomization.yaml')) as { resources: string[]; namespace: string }
const objects: Loose[] = resources.flatMap(file => parseAllDocuments(read(file)).map(document => document.toJS()))
const ofKind = (kind: string): Loose[] => objects.filter(object => object.kind === kind)
const named = (kind: string, name: string): Loose => ofKind(kind).find(({ metadata }) => metadata.name === name)
const template: Loose = parse(read('template.yaml'))
const ours = () =>
  ofKind('Deployment').filter(({ spec }) => spec.template.spec.containers[0].image === 'muster-sandbox:latest')
const log = pino({ level: 'silent' })
/** Kinds that only the real API server judges: the embedded one does not serve them. */
const elsewhere = ['Role', 'RoleBinding', 'NetworkPolicy']

/** A cluster in which a pod of the shipped template runs the mock sandbox in a thread, and the scheduler service on it. */
async function stage(t: Test, options: Parameters<typeof startScheduler>[0] = {}) {
  const kubeconfig = join(t.testdir({}), 'kubeconfig')
  const embedded = await embed({ nodes: 2, root, kubeconfigFile: kubeconfig })
  t.teardown(() => embedded.stop())
  embedded.schedule({ kind: 'KubeSchedulerConfiguration' })
  const annotations = { 'k4s/module': 'extender/sandboxes/mock/worker.ts' }
  const running = structuredClone({ ...template, metadata: { annotations } })
  // The nodes of this cluster have no disk to ask for.
  for (const { resources: wanted } of running.spec.containers)
    for (const part of ['requests', 'limits']) delete wanted[part]['ephemeral-storage']
  const scheduler = await startScheduler({
    ...{ port: 0, redis: false, kubeconfig, log },
    templates: { default: running },
    ...options
  })
  t.teardown(() => scheduler.close())
  const { client } = embedded.cluster
  const list = (resource: string): readonly Loose[] => client.list(resource, { namespace }).items
  const said: string[] = []
  const play = (wish: { retain?: boolean; release?: boolean }) =>
    tourAt({
      ...{ url: scheduler.url, projectId: 'shop', retain: false, release: false, lookup: lookupIn(client) },
      ...{ say: line => void said.push(line), detail: () => {}, ...wish }
    })
  return { embedded, scheduler, list, play, said, client }
}

t.test('S1.15 S1.23 S1.24 S1.25 the manifests are accepted by a strict API server, all in one namespace', async t => {
  const embedded = await embed({ nodes: 1 })
  t.teardown(() => embedded.stop())
  const { client } = embedded.cluster
  for (const object of objects) {
    const resource = client.resources.ofKind(object.apiVersion, object.kind)
    const { name } = object.metadata
    if (resource === undefined) {
      t.ok(elsewhere.includes(object.kind), `${object.kind} ${name} is for the real API server`)
      continue
    }
    const placed = resource.namespaced ? { ...object, metadata: { ...object.metadata, namespace } } : object
    t.ok(client.create(resource.id, placed, { fieldValidation: 'Strict' }), `${object.kind} ${name}`)
  }
  t.equal(namespace, 'sandbox')
  t.ok(named('Namespace', 'sandbox'))
  for (const name of ['redis', 'scheduler', 'global', 'events', 'activator']) {
    const { selector, ports } = named('Service', name).spec
    const { labels } = named('Deployment', name).spec.template.metadata
    t.match(labels, selector, `the Service ${name} leads to its pods`)
    const container = named('Deployment', name).spec.template.spec.containers[0]
    t.strictSame(
      container.ports.map((port: Loose) => port.name),
      ports.map((port: Loose) => port.targetPort)
    )
  }
})

t.test('the arguments of each container are ones that its command knows', async t => {
  t.strictSame(
    ours().map(({ metadata }) => metadata.name),
    ['scheduler', 'global', 'events', 'activator']
  )
  for (const { metadata, spec } of ours()) {
    const [container] = spec.template.spec.containers
    const [command, name, ...flags] = container.args
    t.strictSame([command, name], ['sandbox', metadata.name])
    const listen = flags.find((flag: string) => flag.startsWith('--listen='))
    t.equal(listen, `--listen=0.0.0.0:${container.ports[0].containerPort}`)
    // Whatever is wrong with a flag is told before the help is.
    await t.resolves(
      quietly(t, () => sandbox.run([name, ...flags, '--help'])),
      `${name} ${flags.join(' ')}`
    )
  }
})

async function quietly(t: Test, run: () => Promise<void>) {
  const captured = t.capture(process.stdout, 'write', () => true)
  try {
    await run()
  } finally {
    captured.restore()
  }
}

t.test('addresses in arguments are those of Services that are there', async t => {
  const told = ours().flatMap(({ spec }) => spec.template.spec.containers[0].args as string[])
  const addresses = told.flatMap(arg => [...arg.matchAll(/:\/\/([a-z]+)\.sandbox\.svc:(\d+)/g)])
  t.ok(addresses.length >= 6)
  for (const [, name = '', port] of addresses)
    t.equal(named('Service', name).spec.ports[0].port, Number(port), `${name}:${port}`)
})

t.test('no container may do more than it must', async t => {
  for (const { metadata, spec } of ofKind('Deployment')) {
    const pod = spec.template.spec
    t.match(pod, {
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
    })
    t.equal(pod.automountServiceAccountToken, metadata.name === 'scheduler', `${metadata.name} and tokens`)
    for (const { securityContext, resources: wanted } of pod.containers) {
      t.match(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] }
      })
      t.ok(wanted.requests && wanted.limits.memory)
    }
  }
})

t.test('the rights of the scheduler are those that it uses', async t => {
  const { embedded, play } = await stage(t)
  await play({ retain: true, release: true })
  const rights = (named('Role', 'scheduler').rules as Loose[]).flatMap(({ resources: kinds, verbs }) =>
    kinds.flatMap((kind: string) => verbs.map((verb: string) => `${verb} ${kind}`))
  )
  const used = new Set(
    embedded.cluster.audit.filter(({ resource }) => resource !== '').map(({ verb, resource }) => `${verb} ${resource}`)
  )
  // The namespace is there already where the manifests are applied.
  used.delete('create namespaces')
  t.ok(used.size >= 6, [...used].join(', '))
  t.strictSame(
    [...used].filter(right => !rights.includes(right)),
    []
  )
})

t.test('S1.4 S1.8 S1.26 pods of the shipped template are careful, and known to the network policies', async t => {
  const { play, list } = await stage(t)
  t.strictSame(list('pods'), [], 'there are none before somebody asks')
  await play({})
  const [pod] = list('pods')
  t.match(pod.spec, {
    ...{ automountServiceAccountToken: false, enableServiceLinks: false, schedulerName: 'default-scheduler' },
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        image: 'muster-mock-sandbox:latest',
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] }
        },
        resources: { limits: { cpu: '1', memory: '512Mi' } }
      }
    ]
  })
  const [service] = list('services')
  t.equal(service.spec.clusterIP, 'None', 'its Service is headless')
  t.match(pod.metadata.labels, service.spec.selector)
  const policies = ofKind('NetworkPolicy').filter(({ metadata }) => metadata.name.startsWith('sandboxes-'))
  t.equal(policies.length, 4)
  for (const { spec } of policies) t.match(pod.metadata.labels, spec.podSelector.matchLabels)
  t.ok(
    policies.some(({ spec }) => spec.policyTypes.length === 2 && !spec.ingress && !spec.egress),
    'nothing goes but what is said'
  )
})

t.test(
  'S1.2 S1.3 S1.7 S1.27 request, creation, headless Service, access by name, clean-up: the flow of a project',
  async t => {
    const { play, said, list } = await stage(t, { sandboxTtl: 4_000 })
    const { uid } = await play({})
    t.equal((await play({})).uid, uid, 'asked for again while it lives, it is the same')
    t.match(said.join('\n'), /created sbx-[^]*there already: sbx-/)
    const [service] = list('services')
    t.equal(service.metadata.uid, uid)
    t.match(said.join('\n'), `http://${service.metadata.name}.sandbox.svc.cluster.local:8080/ answers`)
    await untilTrue(
      'its time is up, and nothing of it is left',
      () => list('pods').length + list('services').length === 0,
      30_000
    )
    t.not((await play({})).uid, uid, 'the next request makes another one')
    await play({ release: true })
    await untilTrue(
      'a release leaves nothing either',
      () => list('pods').length + list('services').length === 0,
      30_000
    )
  }
)

t.test(
  'S1.19 the activator wakes a project on a cluster; without traffic its sandbox ends long before its time',
  async t => {
    const { scheduler, list } = await stage(t)
    const activator = await startActivatorAt({
      schedulerUrl: scheduler.url,
      log,
      allowedTargets: ['127.16.0.0/12'],
      idleTimeoutMs: 5_000
    })
    t.teardown(() => activator.close(0))
    const { statusCode, body } = await request(`${activator.url}/projects/blog/post/1`, { reset: true })
    t.equal(statusCode, 200)
    const [pod] = list('pods')
    t.match(await body.json(), { project: 'blog', path: '/post/1', pod: pod.metadata.name })
    await untilTrue('it has idled', () => list('pods').length + list('services').length === 0, 30_000)
  }
)

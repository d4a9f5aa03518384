import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startEmbeddedCluster } from '../../extender/embedded/cluster.ts'
import { simulatedRuntime } from '../../extender/embedded/kubelet/simulated.ts'
import { controllers, kubelet, scheduler, usualNodes } from '../../extender/embedded/parts.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { buildTools } from '../control-plane/build.ts'
import { untilTrue } from './until.ts'

const tools = await buildTools()
const skip = tools.kind === 'absent' ? `kubectl is not there: ${tools.reason}` : false

const folder = await mkdtemp(join(tmpdir(), 'muster-kubectl-'))
const kubeconfigFile = join(folder, 'config')
const cluster = await startEmbeddedCluster({
  kubeconfigFile,
  parts: [
    controllers,
    kubelet(usualNodes(3), [simulatedRuntime()]),
    scheduler(
      { kind: 'KubeSchedulerConfiguration', profiles: [{ schedulerName: 'default-scheduler' }] },
      new Projector()
    )
  ]
})
t.teardown(async () => {
  await cluster.stop()
  await rm(folder, { recursive: true, force: true })
})

type Run = { readonly code: number; readonly out: string; readonly err: string }

function start(args: readonly string[]) {
  if (tools.kind === 'absent') throw new Error(tools.reason)
  const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: kubeconfigFile, KUBECTL_EXTERNAL_DIFF: 'diff -u' }
  return spawn(tools.path('kubectl'), args, { stdio: ['pipe', 'pipe', 'pipe'], env })
}

/** A command line; what is in `input` goes to `-f -`. */
async function kubectl(line: string | readonly string[], input = ''): Promise<Run> {
  const child = start(typeof line === 'string' ? line.split(' ') : line)
  child.stdin.end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: code as number, out, err }
}

const deployment = (name: string, replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: nginx, ports: [{containerPort: 80}], env: [{name: A, value: b}]}
      - {name: side, image: busybox}
`

/** One command after the other, and what its answer must look like. */
type Step = readonly [line: string | readonly string[], want: RegExp | { readonly err: RegExp }, input?: string]

function story(name: string, steps: readonly Step[]): void {
  t.test(name, { skip }, async t => {
    for (const [line, want, input] of steps) {
      const { code, out, err } = await kubectl(line, input)
      const said = typeof line === 'string' ? line : line.join(' ')
      const fine = want instanceof RegExp ? code === 0 && want.test(out) : code !== 0 && want.err.test(err)
      t.ok(fine, said, { code, out, err, want: String(want instanceof RegExp ? want : want.err) })
    }
  })
}

story('what there is', [
  ['version', /Server Version: v1\.36\.3/],
  ['api-resources', /pods\s+po\s+v1\s+true\s+Pod[\s\S]*deployments\s+deploy\s+apps\/v1\s+true\s+Deployment/],
  ['api-resources --categories=all -o name', /^pods$/m],
  ['api-versions', /^apps\/v1$/m],
  ['cluster-info', /control plane.*is running at.*https:\/\/127/],
  ['get --raw /readyz', /^ok$/],
  ['get nodes', /^NAME\s+STATUS\s+ROLES\s+AGE\s+VERSION\nnode-1\s+Ready\s+<none>/],
  ['get nodes -o wide', /INTERNAL-IP\s+EXTERNAL-IP\s+OS-IMAGE/],
  ['get ns', /default\s+Active/],
  ['auth whoami', /Username\s+admin/],
  ['auth can-i create pods', /^yes/],
  ['explain pod.spec.containers', /containers <\[\]Container>[\s\S]*image\s+<string>\n\s+Container image name/],
  ['explain deployment.spec.strategy --recursive', /rollingUpdate\s+<RollingUpdateDeployment>/],
  ['explain nope', { err: /doesn't have a resource type "nope"/ }],
  ['get nopes', { err: /the server doesn't have a resource type "nopes"/ }],
  ['get pod nobody', { err: /Error from server \(NotFound\): pods "nobody" not found/ }]
])

story('apply, diff, patch, label, annotate, scale, rollout', [
  ['apply -f -', /deployment.apps\/web created/, deployment('web', 2)],
  ['apply -f -', /deployment.apps\/web unchanged/, deployment('web', 2)],
  ['diff -f -', { err: /^$/ }, deployment('web', 3)],
  ['diff -f -', /^$/, deployment('web', 2)],
  ['apply -f - --dry-run=server', /web configured \(server dry run\)/, deployment('web', 3)],
  ['get deploy web -o jsonpath={.spec.replicas}', /^2$/],
  ['apply -f -', /web configured/, deployment('web', 3)],
  ['rollout status deploy/web --timeout=30s', /successfully rolled out/],
  ['get deploy web', /web\s+3\/3\s+3\s+3/],
  ['get deploy web -o wide', /main,side\s+nginx,busybox\s+app=web/],
  ['get rs -l app=web', /web-\w+\s+3\s+3\s+3/],
  ['get all', /pod\/web-[\s\S]*deployment.apps\/web[\s\S]*replicaset.apps\/web-/],
  ['scale deploy web --replicas=1', /web scaled/],
  ['wait deploy/web --for=jsonpath={.status.replicas}=1 --timeout=30s', /condition met/],
  [
    [
      'patch',
      'deploy',
      'web',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"busybox:2"}]}}}}'
    ],
    /patched/
  ],
  ['get deploy web -o jsonpath={.spec.template.spec.containers[*].image}', /^nginx busybox:2$/],
  [['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":2}]'], /patched/],
  [['patch', 'deploy', 'web', '--type=merge', '-p', '{"metadata":{"labels":{"m":"1"}}}'], /patched/],
  [['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"test","path":"/spec/replicas","value":9}]'], { err: /./ }],
  ['label deploy web tier=front', /labeled/],
  ['annotate deploy web a=b', /annotated/],
  ['get deploy -l tier=front,m=1 -o name', /^deployment.apps\/web$/m],
  ['label deploy web tier-', /unlabeled/],
  ['get deploy -l tier=front', /^$/],
  ['set image deploy/web main=nginx:2', /image updated/],
  ['rollout status deploy/web --timeout=30s', /successfully rolled out/],
  ['rollout history deploy/web', /REVISION\s+CHANGE-CAUSE\n1/],
  ['rollout restart deploy/web', /restarted/],
  ['rollout status deploy/web --timeout=30s', /successfully rolled out/],
  ['apply --server-side -f -', /serverside-applied/, deployment('side', 1)],
  ['apply --server-side -f -', /serverside-applied/, deployment('side', 1)],
  ['rollout status deploy/side --timeout=30s', /successfully rolled out/],
  ['delete deploy web side --wait', /"web" deleted[\s\S]*"side" deleted/],
  ['wait --for=delete pod -l app=web --timeout=30s', /^/],
  ['get pods', /^$/]
])

story('unknown fields', [
  ['apply -f -', { err: /unknown field "spec.replicaz"/ }, deployment('bad', 1).replace('replicas', 'replicaz')],
  [
    'apply -f - --validate=ignore',
    /cm\/?.*created|configmap\/lax created/,
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lax}\ndatta: {}\n'
  ],
  ['delete cm lax', /deleted/]
])

story('create with the typed clients, which send protobuf', [
  ['create deployment made --image=nginx --replicas=2', /created/],
  ['get deploy made -o jsonpath={.spec.replicas}/{.spec.template.spec.containers[0].image}', /^2\/nginx$/],
  ['create ns mine', /created/],
  ['create cm c -n mine --from-literal=a=b', /created/],
  ['get cm c -n mine -o yaml', /^data:\n {2}a: b\nkind: ConfigMap/m],
  ['create secret generic s --from-literal=a=b', /created/],
  ['get secret s -o jsonpath={.data.a}', /^Yg==$/],
  ['create priorityclass high --value=1000', /created/],
  ['get pc high', /high\s+1000\s+false/],
  ['create pdb made --selector=app=made --min-available=1', /created/],
  ['create job j --image=nginx', /created/],
  ['create sa me', /created/],
  ['expose deploy made --port=80', /service\/made exposed/],
  ['get svc made', /made\s+ClusterIP\s+\S+\s+<none>\s+80\/TCP/],
  ['create cm dry --from-literal=a=b --dry-run=server', /created \(server dry run\)/],
  ['get cm dry', { err: /NotFound/ }],
  ['create cm c -n mine --from-literal=a=b', { err: /configmaps "c" already exists/ }],
  ['delete ns mine --timeout=20s', /deleted/],
  ['get ns mine', { err: /NotFound/ }]
])

story('S3.49 pods: select, describe, log, drain, delete', [
  ['rollout status deploy/made --timeout=30s', /successfully rolled out/],
  ['run solo --image=nginx --restart=Never', /pod\/solo created/],
  ['wait pod/solo --for=condition=Ready --timeout=30s', /condition met/],
  ['get pods -A', /default\s+solo\s+1\/1\s+Running\s+0/],
  ['get pods -o wide', /IP\s+NODE\s+NOMINATED NODE\s+READINESS GATES/],
  ['get pod solo -o jsonpath={.spec.nodeName}', /^node-\d$/],
  ['get pods --field-selector status.phase=Running,metadata.name=solo -o name', /^pod\/solo$/m],
  ['get pods -o custom-columns=NAME:.metadata.name', /^solo$/m],
  ['describe pod solo', /Node:\s+node-\d[\s\S]*Status:\s+Running[\s\S]*Events:[\s\S]*Scheduled/],
  ['describe node node-1', /Allocatable:[\s\S]*Non-terminated Pods:/],
  ['describe deploy made', /Replicas:\s+2 desired/],
  ['get events', /Normal\s+Scheduled\s+pod\/solo/],
  ['logs solo', /^/],
  ['exec solo -- ls', { err: /does not serve pods\/exec/ }],
  ['cordon node-1', /cordoned/],
  ['get node node-1', /Ready,SchedulingDisabled/],
  ['drain node-1 --force --dry-run=server', /drained \(server dry run\)/],
  ['drain node-1 --force --timeout=60s', /node-1 drained/],
  ['get pods --field-selector spec.nodeName=node-1,status.phase=Running', /^$/],
  ['uncordon node-1', /uncordoned/],
  ['taint node node-1 a=b:NoSchedule', /tainted/],
  ['delete pod --all --now --wait', /deleted/],
  ['delete deploy made', /deleted/]
])

t.test('get --watch follows', { skip }, async t => {
  await kubectl('create cm watched --from-literal=a=b')
  const child = start(['get', 'cm', '--watch'])
  let seen = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    seen += chunk
  })
  const shown = (what: RegExp): Promise<void> => untilTrue(`${what} is shown`, () => what.test(seen), 60_000)
  await shown(/watched\s+1/)
  await kubectl('patch cm watched -p {"data":{"b":"c"}}')
  await shown(/watched\s+2/)
  await kubectl('delete cm watched')
  child.kill()
  await once(child, 'close')
  t.match(seen, /^NAME\s+DATA\s+AGE\n/)
  t.match(seen, /watched\s+1\s+\d+s\nwatched\s+2\s/)
})

t.test('and all of it is on record', { skip }, async t => {
  const users = new Set(cluster.audit.map(({ user }) => user))
  t.strictSame([...users], ['admin'])
  t.strictSame(
    cluster.audit.filter(({ code }) => code >= 500 && code !== 501),
    [],
    'nothing went wrong inside'
  )
})

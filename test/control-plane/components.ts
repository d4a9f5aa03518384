import { join } from 'node:path'
import type { Tools } from './build.ts'
import type { Credentials } from './credentials.ts'
import { answers } from './probe.ts'
import { ManagedProcess, type ProcessSpec } from './process.ts'

/** What the parts of one control plane share. */
export interface Site {
  readonly dir: string
  readonly tools: Tools
  readonly credentials: Credentials
  /** Whether the processes stay when this one ends. */
  readonly outlives: boolean
}

/** What makes one process out of a program. */
export interface Component
  extends Pick<ProcessSpec, 'name' | 'command' | 'args' | 'env' | 'url' | 'ready' | 'startTimeout'> {}

/** A process of this site, its log in the site's folder. */
export function component(site: Site, part: Component): ManagedProcess {
  return new ManagedProcess({ ...part, logFile: join(site.dir, `${part.name}.log`), outlives: site.outlives })
}

/** etcd without fsync: its data dies with the cluster. */
export function etcd(site: Site, ports: { client: number; peer: number }): ManagedProcess {
  const client = `http://127.0.0.1:${ports.client}`
  const peer = `http://127.0.0.1:${ports.peer}`
  return component(site, {
    name: 'etcd',
    command: site.tools.path('etcd'),
    args: [
      '--name=one',
      `--data-dir=${join(site.dir, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=one=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=warn'
    ],
    ready: () => answers(`${client}/health`)
  })
}

/** How the API server is set up. */
export interface ApiServerOptions {
  readonly port: number
  readonly etcdPort: number
  /** Turns on `scheduling.k8s.io/v1alpha2` and the gates of native gangs. */
  readonly nativeGangs: NativeGangs
  /** Policy and log of what it is asked; default none. */
  readonly audit?: { readonly policy: string; readonly log: string } | undefined
  readonly ready: () => Promise<boolean>
}

/** kube-apiserver with tokens, RBAC and the certificate that it makes itself. */
export function apiServer(site: Site, options: ApiServerOptions): ManagedProcess {
  const { credentials } = site
  return component(site, {
    name: 'kube-apiserver',
    command: site.tools.path('kube-apiserver'),
    args: [
      `--etcd-servers=http://127.0.0.1:${options.etcdPort}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${options.port}`,
      `--cert-dir=${credentials.certificates}`,
      `--token-auth-file=${credentials.tokenFile}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${credentials.serviceAccountKey}`,
      `--service-account-signing-key-file=${credentials.serviceAccountKey}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      // Nobody reads the endpoints of a service without a network, and a loopback address is not allowed there.
      '--endpoint-reconciler-type=none',
      // No controller need make service accounts, nor take away the taint that new nodes would get.
      '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
      '--shutdown-delay-duration=0s',
      '--delete-collection-workers=16',
      ...(options.audit
        ? [`--audit-policy-file=${options.audit.policy}`, `--audit-log-path=${options.audit.log}`]
        : []),
      ...nativeGangFlags(options.nativeGangs),
      ...(options.nativeGangs ? ['--runtime-config=scheduling.k8s.io/v1alpha2=true'] : [])
    ],
    ready: options.ready
  })
}

/** Whether Kubernetes' own gangs of 1.36 are on, and whether they may evict. */
export type NativeGangs = boolean | 'preempting'

/** Their feature gates. */
function nativeGangFlags(on: NativeGangs): readonly string[] {
  if (on === false) return []
  const preemption = on === 'preempting' ? ',WorkloadAwarePreemption=true' : ''
  return [`--feature-gates=GenericWorkload=true,GangScheduling=true${preemption}`]
}

/** kwok, which makes every node's pods run and vanish. */
export function kwok(site: Site, options: { kubeconfig: string; leases: boolean; port: number }): ManagedProcess {
  return component(site, {
    name: 'kwok',
    command: site.tools.path('kwok'),
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      '--manage-all-nodes=true',
      '--node-ip=127.0.0.1',
      `--server-address=127.0.0.1:${options.port}`,
      `--node-lease-duration-seconds=${options.leases ? 40 : 0}`,
      ...site.tools.stages.map(file => `--config=${file}`)
    ],
    ready: () => answers(`http://127.0.0.1:${options.port}/healthz`)
  })
}

/** kube-controller-manager: service accounts, controllers, node life cycle. */
export function controllerManager(site: Site, options: { kubeconfig: string; port: number }): ManagedProcess {
  return component(site, {
    name: 'kube-controller-manager',
    command: site.tools.path('kube-controller-manager'),
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${options.port}`,
      `--cert-dir=${site.credentials.certificates}`,
      `--service-account-private-key-file=${site.credentials.serviceAccountKey}`,
      '--use-service-account-credentials=false',
      '--leader-elect=false',
      // It would make its default folder on this machine.
      `--flex-volume-plugin-dir=${join(site.dir, 'volume-plugins')}`,
      '--kube-api-qps=500',
      '--kube-api-burst=1000'
    ],
    ready: () => answers(`https://127.0.0.1:${options.port}/healthz`)
  })
}

/** kube-scheduler with a configuration file; `/metrics` and `/readyz` on its port need no token. */
export function scheduler(
  site: Site,
  options: { config: string; kubeconfig: string; port: number; nativeGangs: NativeGangs }
): ManagedProcess {
  const url = `https://127.0.0.1:${options.port}`
  return component(site, {
    name: 'kube-scheduler',
    url,
    command: site.tools.path('kube-scheduler'),
    args: [
      `--config=${options.config}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${options.port}`,
      `--cert-dir=${join(site.dir, 'scheduler-certificates')}`,
      `--authentication-kubeconfig=${options.kubeconfig}`,
      `--authorization-kubeconfig=${options.kubeconfig}`,
      '--authorization-always-allow-paths=/healthz,/livez,/readyz,/metrics',
      ...nativeGangFlags(options.nativeGangs)
    ],
    ready: () => answers(`${url}/readyz`)
  })
}

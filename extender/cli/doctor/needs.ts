import { podGroupKinds } from '../../operations.ts'

/** A right that muster uses. */
export type Need = {
  readonly group: string
  /** With its subresource, as RBAC writes it. */
  readonly resource: string
  readonly verbs: readonly string[]
  /** What does not happen without it. */
  readonly without: string
  /** False: muster goes on without it. */
  readonly required: boolean
  /** The CRD that must be there for it to be used. */
  readonly definition?: string
}

const never = 'muster never gets ready: it plans nothing before it has seen them'
const read = ['list', 'watch']

/** Exactly what muster asks of the API server; the lease, which has a name, is beside it in `rights.ts`. */
export const needs: readonly Need[] = [
  { group: '', resource: 'nodes', verbs: read, without: never, required: true },
  { group: '', resource: 'pods', verbs: ['get', ...read], without: never, required: true },
  { group: '', resource: 'replicationcontrollers', verbs: read, without: never, required: true },
  { group: 'apps', resource: 'replicasets', verbs: read, without: never, required: true },
  { group: 'apps', resource: 'statefulsets', verbs: read, without: never, required: true },
  { group: 'batch', resource: 'jobs', verbs: read, without: never, required: true },
  {
    ...{ group: '', resource: 'pods/binding', verbs: ['create'], required: true },
    without: 'no pod of its schedulers is ever bound'
  },
  {
    ...{ group: '', resource: 'pods/status', verbs: ['patch'], required: true },
    without: 'members are not nominated: kube-scheduler looks at every node for each of them'
  },
  {
    ...{ group: '', resource: 'pods', verbs: ['patch'], required: false },
    without: 'gated gangs are never let go, and gangs that are ended whole are not marked'
  },
  {
    ...{ group: '', resource: 'pods/eviction', verbs: ['create'], required: false },
    without: 'nobody is evicted or moved for a gang, whatever its priority'
  },
  {
    ...{ group: 'policy', resource: 'poddisruptionbudgets', verbs: read, required: false },
    without: 'victims are chosen whose eviction the API server then refuses'
  },
  {
    ...{ group: 'events.k8s.io', resource: 'events', verbs: ['create'], required: false },
    without: 'pods are not told why they wait'
  },
  {
    ...{ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', verbs: read, required: false },
    without: 'the PodGroups of other schedulers are not read'
  },
  ...podGroupKinds.map(({ api }) => ({
    ...{ group: api, resource: 'podgroups', verbs: read, required: false, definition: `podgroups.${api}` },
    without: 'gangs of undeclared size that such a PodGroup describes are taken for smaller ones'
  }))
]

/** What would be worth more to a thief of the token than muster is; it uses none of it. */
export const excess: readonly Pick<Need, 'group' | 'resource' | 'verbs'>[] = [
  { group: '', resource: 'secrets', verbs: ['get', 'list'] },
  { group: '', resource: 'pods', verbs: ['create', 'delete'] },
  { group: '', resource: 'pods/exec', verbs: ['create'] },
  { group: '', resource: 'nodes', verbs: ['patch'] },
  { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', verbs: ['escalate', 'bind'] },
  { group: '', resource: 'users', verbs: ['impersonate'] },
  { group: '*', resource: '*', verbs: ['*'] }
]

/** A pod as kube-scheduler 1.36 sends it. */
export const podJson = {
  metadata: {
    name: 'worker-0',
    namespace: 'training',
    uid: '6f1d4f0e-3f5b-4d0e-9d2f-000000000001',
    resourceVersion: '812',
    creationTimestamp: '2026-11-22T12:00:00Z',
    labels: { app: 'job', 'pod-template-hash': '5d9c' },
    annotations: {
      'muster.dev/gang': 'job',
      'muster.dev/min-member': '2',
      // What a careless reader of the request's bytes would stumble over.
      'kubectl.kubernetes.io/last-applied-configuration': '{"Pod":{},"NodeNames":["from-an-annotation"]}\n',
      notes: 'größer \u{1f600} ]} "NodeNames":["x"]}'
    }
  },
  spec: {
    schedulerName: 'muster',
    priority: 10,
    containers: [{ name: 'main', image: 'pause', resources: { requests: { cpu: '500m', memory: '1Gi' } } }],
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }
    ]
  },
  status: { phase: 'Pending', nominatedNodeName: 'node-2', qosClass: 'Burstable' }
} as const

/** ExtenderArgs, byte for byte as Go's json.Marshal orders them. */
export function argsBody(names: readonly string[], pod: object = podJson): string {
  return JSON.stringify({ Pod: pod, Nodes: null, NodeNames: names })
}

/** ExtenderPreemptionArgs in its meta form. */
export function preemptBody(victims: Readonly<Record<string, readonly string[]>>, pod: object = podJson): string {
  const nodes = Object.entries(victims).map(([node, uids]) => [
    node,
    { Pods: uids.map(UID => ({ UID })), NumPDBViolations: 0 }
  ])
  return JSON.stringify({
    Pod: pod,
    NodeNameToVictims: null,
    NodeNameToMetaVictims: Object.fromEntries(nodes) as Record<string, unknown>
  })
}

/** ExtenderBindingArgs. */
export function bindBody(patch: Readonly<Record<string, unknown>> = {}): string {
  const { name, namespace, uid } = podJson.metadata
  return JSON.stringify({ PodName: name, PodNamespace: namespace, PodUID: uid, Node: 'node-2', ...patch })
}

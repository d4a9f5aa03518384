const processes = 'kills, stops or restarts the schedulers and the API server'
const installed = 'reads the manifests of the tree, which may not be what is installed'
const nodes = 'makes and deletes fake nodes'

/** The files of scenarios that are not played on any cluster, by what they need besides an API server. */
export const leftOut: Readonly<Record<string, string>> = {
  admission: installed,
  consolidation: nodes,
  constraints: nodes,
  contention: `${nodes}, by the hundred`,
  counts: 'counts the calls between kube-scheduler and muster',
  'custom-scheduler': nodes,
  'embedded-parity': 'compares the embedded cluster with kube-scheduler, call by call',
  faults: processes,
  flow: nodes,
  'gang-of-64': `${nodes} and restarts the scheduler`,
  handover: nodes,
  harness: 'tests the local control plane itself',
  main: 'tests the commands of npm run conformance themselves',
  manifests: installed,
  'missing-rights': installed,
  native: 'needs the feature gates of native gangs',
  pairs: processes,
  peers: `${nodes} and installs the resource definitions of other schedulers`,
  'peers-faults': processes,
  preemption: nodes,
  proxies: 'counts the calls between kube-scheduler and muster',
  removal: processes,
  rights: installed,
  'sandbox-manifests': installed,
  sandboxes: 'runs the sandbox services itself',
  scope: processes,
  stops: processes,
  tls: 'starts the schedulers with certificates of its own'
}

/** Where a requirement is shown: tests whose names have its id in them, or words in a document. */
export type Shown = {
  /** Test files, under test/. Each has at least one test with the id in its name. */
  readonly tests?: readonly string[]
  /** What the names of those tests must speak of between them. */
  readonly speakOf?: readonly string[]
  /** Documents, from the root of the repository, and what has to stand in them. */
  readonly documents?: Readonly<Record<string, readonly string[]>>
  /** Scripts of package.json, and how they begin. */
  readonly scripts?: Readonly<Record<string, string>>
}

/** Requirements of one system, numbered from 1 on without a gap. */
export type Group = {
  readonly title: string
  readonly last: number
  readonly shown: Readonly<Record<number, Shown>>
}

const by = (...tests: readonly string[]): Shown => ({ tests })
const [k4s, manifest] = ['embedded/k4s.test.ts', 'embedded/k4s-manifest.test.ts']
const [shipped, demos] = ['embedded/k4s-workers.test.ts', 'embedded/k4s-demos.test.ts']
const [workers, parts] = ['embedded/workers.test.ts', 'embedded/kubelet-parts.test.ts']
const [replicas, services] = ['embedded/controllers-replicas.test.ts', 'embedded/controllers-services.test.ts']
const [customScheduler, realScheduler] = ['gangs/custom-scheduler.test.ts', 'conformance/custom-scheduler.test.ts']
const [integration, order] = ['integration/integration.test.ts', 'policies/order.test.ts']
const [binder, projections] = ['kubernetes/binder.test.ts', 'kubernetes/projections.test.ts']
const [writes, lives, beginAnew] = ['gangs/writes.test.ts', 'gangs/lives.test.ts', 'cli/begin-anew.test.ts']
const [manifests, kubectl, readme] = ['manifests.test.ts', 'embedded/kubectl.test.ts', 'README.md']
const [units, kept] = ['policies/schedule.test.ts', 'policies/kept-schedule.test.ts']
const [keptLaw, layers] = ['policies/kept-schedule.prop.test.ts', 'architecture.test.ts']
const paper = 'cli/plan.test.ts'
const sandboxes = 'sandboxes'
const events = 'sandboxes/events'
const frontDoor = 'sandboxes/global'
const demo = `${sandboxes}/demo.test.ts`
const make = `${sandboxes}/make.test.ts`
const flow = `${sandboxes}/manifests.test.ts`
const guide = 'extender/embedded/README.md'

/** A group is covered once it has lines here; `requirements.test.ts` holds the tests and documents to them. */
export const groups: Readonly<Record<string, Group>> = {
  S0: {
    title: 'Sandbox scheduling service',
    last: 51,
    shown: {
      1: by(demo),
      2: by(`${sandboxes}/scheduler.test.ts`, `${sandboxes}/rest.test.ts`, 'conformance/sandboxes.test.ts'),
      3: by(`${sandboxes}/scheduler.test.ts`, `${sandboxes}/crashes.test.ts`),
      4: by(`${sandboxes}/scheduler.test.ts`, `${sandboxes}/crashes.test.ts`),
      5: by(`${sandboxes}/idempotence.test.ts`),
      6: by(`${sandboxes}/idempotence.test.ts`, `${sandboxes}/crashes.test.ts`),
      7: by(`${sandboxes}/idempotence.test.ts`, `${sandboxes}/lifetimes.test.ts`),
      8: by(`${sandboxes}/lifetimes.test.ts`),
      9: by(`${sandboxes}/lifetimes.test.ts`),
      10: by(`${sandboxes}/lifetimes.test.ts`),
      11: by(`${sandboxes}/lifetimes.test.ts`, `${sandboxes}/rest.test.ts`),
      12: by(`${sandboxes}/scheduler.test.ts`, `${sandboxes}/rest.test.ts`),
      13: by(`${sandboxes}/outbox.test.ts`, `${events}/end-to-end.test.ts`),
      14: by(`${sandboxes}/outbox.test.ts`, `${events}/rules.test.ts`),
      15: by(`${sandboxes}/outbox.test.ts`, `${events}/end-to-end.test.ts`),
      16: by(`${sandboxes}/outbox.test.ts`, `${sandboxes}/lifetimes.test.ts`),
      17: by(`${sandboxes}/outbox.test.ts`, `${sandboxes}/trouble.test.ts`),
      18: by(`${sandboxes}/outbox.test.ts`, `${sandboxes}/trouble.test.ts`, `${sandboxes}/decision.test.ts`),
      19: by(`${events}/pubsub.test.ts`),
      20: by(`${events}/pubsub.test.ts`),
      21: by(`${events}/pubsub.test.ts`, `${events}/publisher.test.ts`),
      22: by(`${events}/pubsub.test.ts`),
      23: by(`${events}/webhooks.test.ts`, `${events}/hooks.test.ts`),
      24: by(`${events}/pubsub.test.ts`, `${events}/bounds.test.ts`, demo),
      25: by(`${sandboxes}/outbox.test.ts`, demo),
      26: by('policies/clusters.test.ts', 'policies/clusters.prop.test.ts', `${frontDoor}/front-door.test.ts`),
      27: by(`${frontDoor}/front-door.test.ts`),
      28: by(`${frontDoor}/front-door.test.ts`),
      29: by(`${frontDoor}/broken-clusters.test.ts`, `${frontDoor}/shared-memory.test.ts`),
      30: by(`${sandboxes}/client.test.ts`),
      31: by(`${sandboxes}/client.test.ts`, demo),
      32: by(`${sandboxes}/client.test.ts`),
      33: by(demo),
      34: by(demo),
      35: by(demo),
      36: by(demo),
      37: by(demo),
      38: by(demo),
      39: by(demo),
      40: by(demo),
      41: by(demo),
      42: by(demo),
      43: by(demo),
      44: by(`${sandboxes}/sandbox.test.ts`, demo),
      45: by(demo),
      46: by(`${sandboxes}/server.test.ts`),
      47: by('embedded/http-reflector.test.ts'),
      48: by(`${sandboxes}/scheduler.test.ts`),
      49: by(`${sandboxes}/server.test.ts`),
      50: by(`${sandboxes}/sandbox.test.ts`, demo),
      51: by(`${frontDoor}/front-door.test.ts`)
    }
  },
  S1: {
    title: 'Project sandboxes and routing',
    last: 31,
    shown: {
      1: by(`${sandboxes}/scheduler.test.ts`),
      2: by(`${sandboxes}/scheduler.test.ts`, flow),
      3: by(`${sandboxes}/scheduler.test.ts`, flow),
      4: by(`${sandboxes}/scheduler.test.ts`, flow),
      5: by(`${sandboxes}/client.test.ts`),
      6: by(`${sandboxes}/scheduler.test.ts`, `${sandboxes}/rest.test.ts`),
      7: by(`${sandboxes}/lifetimes.test.ts`, flow),
      8: by(`${sandboxes}/mock.test.ts`, 'cli/sandbox.test.ts'),
      9: by('cli/sandbox.test.ts'),
      10: by(
        `${sandboxes}/sandbox.test.ts`,
        make,
        'conformance/sandboxes.test.ts',
        'conformance/sandbox-manifests.test.ts'
      ),
      11: by(`${sandboxes}/proto.test.ts`),
      12: by(demo),
      13: by(demo),
      14: by(make),
      15: by(make, flow),
      16: by(make),
      17: by(`${sandboxes}/proto.test.ts`),
      18: by(make),
      19: by(`${sandboxes}/activator.test.ts`, flow, make),
      20: by(`${sandboxes}/client.test.ts`, 'cli/sandbox.test.ts'),
      21: by(`${sandboxes}/client.test.ts`, 'cli/sandbox.test.ts'),
      22: by(`${sandboxes}/client.test.ts`, 'cli/sandbox.test.ts'),
      23: by(`${sandboxes}/scheduler.test.ts`, flow),
      24: by(flow),
      25: by(flow),
      26: by(`${sandboxes}/scheduler.test.ts`, flow),
      27: by(flow),
      28: { documents: { LICENSE: ['MIT License'] } },
      29: { documents: { 'README.md': ['Node 24', 'kubectl', 'Docker Desktop', 'Buf'] } },
      30: by(make),
      31: by(demo)
    }
  },
  S2: {
    title: 'Basic scheduler loop',
    last: 27,
    shown: {
      1: by('telemetry/logs.test.ts', 'config.test.ts'),
      2: by('kubernetes/connection.test.ts', 'architecture.test.ts'),
      3: { tests: ['config.test.ts'], documents: { [readme]: ['flags win over variables, variables over the file'] } },
      4: by(integration),
      5: by(writes),
      6: by('state.test.ts'),
      7: by(projections),
      8: by(projections),
      9: by(integration),
      10: by(writes),
      11: by('config.test.ts', 'cli/serve.test.ts', 'telemetry/logs.test.ts'),
      12: by(integration),
      13: by(integration),
      14: by(integration),
      15: by(integration),
      16: by(integration),
      17: by(integration),
      18: by(integration),
      19: by(integration),
      20: by(binder),
      21: by(writes),
      22: by(binder, writes, 'backoff.test.ts'),
      23: by(writes),
      24: by('gangs/barrier.test.ts', 'gangs/preemption.test.ts'),
      25: by(writes),
      26: { documents: { [readme]: ['Node 24 or newer with npm', 'make for the shortcuts', 'Docker or Podman'] } },
      27: by(integration)
    }
  },
  S3: {
    title: 'Plan-based scheduler',
    last: 80,
    shown: {
      1: by(customScheduler),
      2: by(customScheduler),
      3: by(customScheduler),
      4: by(customScheduler),
      5: by(customScheduler),
      6: by('kubernetes/connection.test.ts', 'architecture.test.ts'),
      7: by('kubernetes/reflector.test.ts', projections),
      8: by(customScheduler),
      9: by(customScheduler),
      10: by('cli/serve.test.ts', 'telemetry/logs.test.ts'),
      11: by(layers),
      12: by('kubernetes/reflector.test.ts', projections, binder),
      13: by(layers, units),
      14: by(units),
      15: by(customScheduler, units),
      16: by(units, paper),
      17: by(customScheduler, units),
      18: by(units),
      19: by(customScheduler, units),
      20: by(customScheduler, units),
      21: by(units),
      22: by(customScheduler, order, units),
      23: by(units, customScheduler),
      24: by(customScheduler, units, kept),
      25: by(customScheduler, units, paper),
      26: by(units, paper),
      27: by(customScheduler, units, kept),
      28: by(customScheduler, units),
      29: by(customScheduler, units),
      30: by(binder, lives, 'gangs/preemption.test.ts', 'cli/serve.test.ts'),
      31: by(customScheduler, units),
      32: by(customScheduler),
      33: by(customScheduler),
      34: by(customScheduler),
      35: by(customScheduler),
      36: { documents: { [readme]: ['kubectl, Docker or Podman, and the cluster: minikube will do'] } },
      37: by(integration),
      38: by(integration),
      39: by(integration),
      40: by(manifests),
      41: by(integration, manifests),
      42: by(integration),
      43: by(integration),
      44: by(integration),
      45: by(manifests),
      46: by(customScheduler),
      47: by(realScheduler),
      48: by(realScheduler, customScheduler),
      49: by(writes, kubectl),
      50: by(realScheduler),
      51: {
        tests: ['coverage.test.ts'],
        scripts: { test: 'node test/run.ts', coverage: 'node test/run.ts --coverage' }
      },
      52: by('state.test.ts', units),
      53: by(customScheduler, units),
      54: by(customScheduler, units),
      55: by('gangs/preemption.test.ts', 'policies/victims.test.ts', units, customScheduler),
      56: by(customScheduler, units),
      57: by(customScheduler, units),
      58: by(customScheduler, units),
      59: by(customScheduler, units),
      60: by(customScheduler, units, kept),
      61: by(customScheduler, units),
      62: by(integration, kept),
      63: by(realScheduler, customScheduler),
      64: by(realScheduler, customScheduler),
      65: by(customScheduler),
      66: by(lives, beginAnew),
      67: by(lives, beginAnew),
      68: by(lives),
      69: by(lives, binder),
      70: by(lives, binder),
      71: by(lives, beginAnew),
      72: by(kept),
      73: by(customScheduler, keptLaw, kept, order),
      74: by(manifests),
      75: by(manifests),
      76: by(writes),
      77: by('coverage.test.ts'),
      78: by(realScheduler),
      79: by(realScheduler, customScheduler),
      80: by(integration)
    }
  },
  S4: {
    title: 'In-process cluster',
    last: 54,
    shown: {
      1: by(workers),
      2: by(k4s),
      3: by(k4s, parts),
      4: by(manifest),
      5: by(workers),
      6: by(workers),
      7: by(workers, demos),
      8: by(replicas),
      9: by(replicas),
      10: by(replicas, k4s),
      11: by(services),
      12: by(services, k4s),
      13: by(k4s),
      14: by(k4s),
      15: by(k4s),
      16: by(k4s),
      17: by(k4s),
      18: by(k4s),
      19: by(k4s, services),
      20: by(k4s),
      21: by(k4s, services),
      22: by(k4s, replicas),
      23: by(k4s, replicas),
      24: by(replicas, parts),
      25: by(replicas, services, 'embedded/controllers-lifecycle.test.ts'),
      26: by(demos),
      27: by(demos),
      28: by(demos),
      29: by(demos, shipped),
      30: by(demos),
      31: by(demos),
      32: by(demos),
      33: by(workers, shipped),
      34: by(workers, k4s),
      35: by(parts, k4s),
      36: by(k4s),
      37: by(k4s),
      38: by(workers, manifest, parts),
      39: by(workers),
      40: by(shipped),
      41: by(shipped),
      42: by(shipped),
      43: by(shipped),
      44: by(shipped),
      45: by(demos, 'embedded/demo.test.ts'),
      46: by(demos),
      47: {
        tests: ['embedded/guide.test.ts'],
        documents: {
          [guide]: [
            ...['## User guide', '## Architecture', '### Components', '### Communication', '### Reconciliation'],
            ...['### Life cycle', '## Quick reference', '### Operations', '### YAML', '### Worker templates'],
            '## Troubleshooting'
          ],
          'README.md': [guide]
        }
      },
      48: by(k4s),
      49: {
        tests: [workers, k4s, shipped],
        speakOf: [
          ...['lifecycle', 'fire and forget', 'request and response', 'replica sets', 'load balancing'],
          ...['between containers', 'scaling both ways', 'CRUD', 'pipelines', 'concurrent replicas']
        ]
      },
      50: by('embedded/demo.test.ts', 'cli/embedded.test.ts'),
      51: {
        tests: [workers, k4s, 'embedded/controllers-deployments.test.ts', 'embedded/controllers-sets.test.ts'],
        speakOf: [
          ...['liveness', 'readiness', 'init containers', 'config maps and secrets', 'restart policies', 'namespaces'],
          ...['Deployment', 'rollout', 'DaemonSet']
        ],
        documents: { [guide]: ['HPA', 'RBAC', 'persistence'] }
      },
      52: {
        tests: ['embedded/guide.test.ts'],
        documents: { [guide]: ['## User guide', '## Architecture', '## API', '## Quick reference'] }
      },
      53: {
        tests: ['embedded/demo.test.ts'],
        scripts: { demo: 'node extender/cli/demo.ts' },
        documents: { [guide]: ['npm run demo -- step-by-step', 'npm run demo'] }
      },
      54: {
        documents: { [guide]: ['## Design decisions', '## Limits', 'worker threads are no security boundary'] }
      }
    }
  }
}

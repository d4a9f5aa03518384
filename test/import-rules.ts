import type { IFlattenedRuleSet, ICruiseOptions } from 'dependency-cruiser'

/** What every folder of extender/ may import besides itself. */
const shared = '^extender/(state|facts|config|options|sources|errors|clock|json|x509|der|version|backoff)\\.ts$'
/** What starts a service of the sandboxes. */
const sandboxRoots = '^extender/sandbox[a-z-]*\\.ts$'
const outside = '^(policies/|node_modules/)'

/** The import rule of the house; architecture.test.ts holds the tree to it. */
export const rules: IFlattenedRuleSet = {
  forbidden: [
    {
      name: 'policies-import-policies',
      comment: 'The core is pure: it imports nothing but itself.',
      severity: 'error',
      from: { path: '^policies/' },
      to: { pathNot: '^policies/' }
    },
    {
      name: 'folders-import-no-other-folder',
      comment: 'A folder of extender/ declares the ports it needs; main.ts plugs the parts together.',
      severity: 'error',
      from: { path: '^extender/([^/]+)/', pathNot: '^extender/cli/' },
      to: { pathNot: ['^extender/$1/', shared, outside], dependencyTypesNot: ['core'], couldNotResolve: false }
    },
    {
      name: 'membership-knows-no-plans',
      comment: 'Who is a member of what follows from the pods alone.',
      severity: 'error',
      from: { path: '^extender/gangs/membership/' },
      to: { path: '^extender/gangs/', pathNot: '^extender/gangs/membership/' }
    },
    {
      name: 'effects-do-not-plan',
      comment: 'What is done follows from what is held; who plans is told, and never asked.',
      severity: 'error',
      from: { path: '^extender/gangs/effects/' },
      to: { path: '^extender/gangs/(planning|lives|telling)/' }
    },
    {
      name: 'cli-imports-main',
      comment:
        'A command may start the extender, the embedded cluster or a service of the sandboxes, or plan on paper.',
      severity: 'error',
      from: { path: '^extender/cli/' },
      to: {
        pathNot: ['^extender/(cli/|(main|embed|dry-run|operations|sandbox[a-z-]*)\\.ts$)', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'shared-files-import-no-folder',
      comment: 'What every folder may import must not import a folder.',
      severity: 'error',
      from: { path: shared },
      to: { pathNot: [shared, outside], dependencyTypesNot: ['core'], couldNotResolve: false }
    },
    {
      name: 'app-imports-what-answers-http',
      comment: 'app.ts is the list of routes and plugins.',
      severity: 'error',
      from: { path: '^extender/app\\.ts$' },
      to: {
        pathNot: ['^extender/(verbs|api|telemetry)/', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'listeners-know-no-routes',
      comment: 'What opens, limits and closes connections knows nothing of what is answered over them.',
      severity: 'error',
      from: { path: '^extender/(listener|connections|tls)\\.ts$' },
      to: {
        pathNot: ['^extender/(listener|connections|tls)\\.ts$', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'logic-answers-nobody',
      comment: 'What follows the cluster and acts on it is put together apart from what listens.',
      severity: 'error',
      from: { path: '^extender/logic\\.ts$' },
      to: {
        pathNot: ['^extender/(kubernetes|gangs|telemetry)/', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'embed-composes-the-embedded-cluster',
      comment:
        'The second composition root: the cluster in this process, with the projections that its scheduler needs.',
      severity: 'error',
      from: { path: '^extender/embed\\.ts$' },
      to: {
        pathNot: ['^extender/embedded/', '^extender/kubernetes/projections\\.ts$', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'dry-run-composes-a-plan-on-paper',
      comment: 'The third composition root: what is written down of a cluster, the rules of gangs, the plan.',
      severity: 'error',
      from: { path: '^extender/dry-run\\.ts$' },
      to: {
        pathNot: ['^extender/kubernetes/description\\.ts$', '^extender/gangs/', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'operations-visits-a-cluster',
      comment:
        'The root of commands that look at a cluster or put it right: the connection to it, and the rules of gangs.',
      severity: 'error',
      from: { path: '^extender/operations\\.ts$' },
      to: {
        pathNot: ['^extender/(kubernetes|gangs)/', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'sandbox-composes-the-sandbox-services',
      comment: 'The composition roots of the sandboxes: services, and the connection to a cluster where one is needed.',
      severity: 'error',
      from: { path: sandboxRoots },
      to: {
        pathNot: ['^extender/(sandboxes|kubernetes)/', sandboxRoots, shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'parts-of-the-sandboxes-import-no-other-part',
      comment: 'The services know each other by their protocol; a part declares the ports that it needs.',
      severity: 'error',
      from: { path: '^extender/sandboxes/([^/]+)/' },
      to: {
        pathNot: ['^extender/sandboxes/$1/', '^extender/sandboxes/(proto/generated/|[^/]+\\.ts$)', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'what-sandboxes-share-imports-no-part',
      comment: 'The server, the refusals: what every part may import must not import a part.',
      severity: 'error',
      from: { path: '^extender/sandboxes/[^/]+\\.ts$' },
      to: {
        pathNot: ['^extender/sandboxes/(proto/generated/|[^/]+\\.ts$)', shared, outside],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'top-files-are-known',
      comment: 'A file at the top of extender/ has a rule above; give a new one its own.',
      severity: 'error',
      from: {
        path: '^extender/[^/]+$',
        pathNot: [
          shared,
          sandboxRoots,
          '^extender/(embed|dry-run|operations|app|main|logic|listener|connections|tls)\\.ts$'
        ]
      },
      to: {}
    },
    {
      name: 'grafana-imports-metrics',
      comment: 'Dashboards and alerts know the metrics where they are declared, and nothing else.',
      severity: 'error',
      from: { path: '^grafana/' },
      to: {
        pathNot: ['^grafana/', '^extender/([a-z/]+/metrics|tls)\\.ts$', '^node_modules/'],
        dependencyTypesNot: ['core'],
        couldNotResolve: false
      }
    },
    {
      name: 'nobody-imports-grafana',
      severity: 'error',
      from: { pathNot: '^(grafana|test)/' },
      to: { path: '^grafana/' }
    },
    {
      name: 'nobody-imports-test',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' }
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true }
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } }
  ]
}

/** TypeScript 7 has no JS API: with any parser but swc, no module is seen and no rule is broken. */
export const options: ICruiseOptions = {
  parser: 'swc',
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  enhancedResolveOptions: {
    extensions: ['.ts', '.mjs', '.js', '.json'],
    exportsFields: ['exports'],
    conditionNames: ['import', 'node', 'default', 'types']
  }
}

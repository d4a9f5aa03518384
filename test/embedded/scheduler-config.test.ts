import t from 'tap'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfig } from '../../extender/embedded/scheduler/config.ts'

const kind = 'KubeSchedulerConfiguration'
const one = { urlPrefix: 'http://127.0.0.1:1' }

t.test('what muster scheduler-config prints', async t => {
  const config = loadConfig(['--kubeconfig', 'x', '--scheduler-name', 'mine', '--bind-timeout', '45s'], {})
  const read = schedulerConfig({ ...schedulerConfiguration(config, 'http://127.0.0.1:8888/') })
  t.ok(['muster', 'custom-scheduler', 'mine'].every(name => read.profiles.get(name) === 0))
  t.match(read.extenders, [
    { filterVerb: 'filter', preemptVerb: 'preempt', prioritizeVerb: '', bindVerb: '', timeoutMs: 2_000 },
    { filterVerb: '', preemptVerb: '', prioritizeVerb: '', bindVerb: 'bind', timeoutMs: 45_000 }
  ])
  for (const extender of read.extenders)
    t.match(extender, { urlPrefix: 'http://127.0.0.1:8888', nodeCacheCapable: true, ignorable: false })
})

t.test('what is left out', async t => {
  const read = schedulerConfig({ kind, extenders: [one] })
  t.strictSame([...read.profiles], [['default-scheduler', 0]])
  t.equal(read.extenders[0]?.timeoutMs, 5_000, 'as upstream')
  t.strictSame([read.initialBackoffMs, read.maxBackoffMs], [1_000, 10_000])
})

t.test('what is said', async t => {
  const gpu = { name: 'example.com/gpu', ignoredByScheduler: true }
  const read = schedulerConfig({
    kind,
    percentageOfNodesToScore: 30,
    podInitialBackoffSeconds: 2,
    podMaxBackoffSeconds: 4,
    profiles: [{ schedulerName: 'a' }, { schedulerName: 'b', percentageOfNodesToScore: 100 }],
    extenders: [
      { ...one, ignorable: true, httpTimeout: '0s' },
      { ...one, managedResources: [gpu, { name: 'example.com/counted' }] }
    ]
  })
  t.strictSame(
    [...read.profiles],
    [
      ['a', 30],
      ['b', 100]
    ]
  )
  t.strictSame([read.initialBackoffMs, read.maxBackoffMs], [2_000, 4_000])
  t.strictSame([...read.ignoredResources], ['example.com/gpu'])
  t.strictSame(
    read.extenders.map(extender => extender.ignorable),
    [false, true],
    'those that may be ignored come last'
  )
  t.equal(read.extenders[1]?.timeoutMs, 5_000)
})

const refused: Record<string, [document: Record<string, unknown>, why: string]> = {
  'another kind': [{ kind: 'Pod' }, 'kind: "Pod" must be KubeSchedulerConfiguration'],
  'no URL': [{ kind, extenders: [{ urlPrefix: 'here' }] }, 'extenders[0].urlPrefix: "here" is no URL'],
  'scores without weight': [
    { kind, extenders: [{ ...one, prioritizeVerb: 'prioritize' }] },
    'extenders[0].weight: must be positive where prioritizeVerb is set'
  ],
  'no duration': [
    { kind, extenders: [{ ...one, httpTimeout: 'soon' }] },
    'extenders[0].httpTimeout: "soon" is no duration'
  ],
  'two binders': [
    {
      kind,
      extenders: [
        { ...one, bindVerb: 'bind' },
        { ...one, bindVerb: 'bind' }
      ]
    },
    'extenders: only one of them may have a bindVerb'
  ],
  'a resource twice': [
    {
      kind,
      extenders: [
        { ...one, managedResources: [{ name: 'a/b' }] },
        { ...one, managedResources: [{ name: 'a/b' }] }
      ]
    },
    'extenders: the managed resource a/b stands in two of them'
  ]
}

t.test('what kube-scheduler would not start with is refused, and named', async t => {
  for (const [name, [document, why]] of Object.entries(refused))
    t.throws(() => schedulerConfig(document), { name: 'UsageError', message: why }, name)
})

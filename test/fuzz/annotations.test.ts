import * as fc from 'fast-check'
import t from 'tap'
import { keepsAnnotation, membership } from '../../extender/gangs/membership/dialects.ts'
import { gangOf } from '../../extender/gangs/membership/gang.ts'
import { Profiles } from '../../extender/gangs/membership/profiles.ts'
import { settingsOf } from '../../extender/gangs/membership/settings.ts'
import { termsOf } from '../../extender/gangs/membership/terms.ts'
import { Projector } from '../../extender/kubernetes/projections.ts'
import { muster } from '../../policies/index.ts'
import { annotations, plain } from '../../policies/names.ts'

const projector = new Projector({ keepAnnotation: keepsAnnotation })
const profiles = new Profiles(new Map([['muster', muster]]), () => 0)
const facts = { membership, podGroup: () => undefined, controllerSize: () => undefined }

/** What people, and people who mean harm, write where a number, a name, a duration or JSON is expected. */
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.integer().map(String),
  fc.double().map(String),
  fc.constantFrom('９', '0x10', ' 1', '1 ', '+1', '1e999', '-0', '9007199254740993', '__proto__', '{"__proto__":1}'),
  fc.constantFrom(
    '1h',
    '-1s',
    '1h1h1h',
    '999999999999h',
    '.s',
    '{"a":1,"a":2}',
    '{"cpu":"1e999"}',
    '{"cpu":null}',
    '[]'
  ),
  fc.nat(3).map(size => '['.repeat(10 ** size)),
  fc.nat(4).map(size => '9'.repeat(10 ** size)),
  fc.constant('\ud800')
)
const keys = [
  ...Object.values(annotations),
  ...Object.values(plain),
  ...['scheduling.k8s.io/group-name', 'scheduling.volcano.sh/group-min-member', 'yunikorn.apache.org/task-groups'],
  ...['yunikorn.apache.org/task-group-name', 'pod-group-name', 'kai.scheduler/batch-min-member'],
  ...['gang.scheduling.koordinator.sh/name', 'gang.scheduling.koordinator.sh/min-available', '__proto__', 'constructor']
]
const words = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), text), { maxLength: 6, selector: ([key]) => key })

t.test('whatever stands in annotations and labels makes a gang, a refusal or nothing', async t => {
  let gangs = 0
  let refused = 0
  fc.assert(
    fc.property(words, words, (written, labelled) => {
      const json = {
        metadata: {
          ...{ name: 'a', namespace: 'ns', uid: 'u' },
          annotations: Object.fromEntries(written),
          labels: Object.fromEntries(labelled)
        },
        spec: { schedulerName: 'muster' }
      }
      const pod = projector.pod(json)
      const said = membership(pod)
      settingsOf([{ pod, said: { dialect: 'muster' } }])
      if (!said) return
      gangs += 1
      const terms = termsOf([pod], facts)
      const gang = gangOf([pod], terms, { profiles, nodeOf: () => undefined })
      if (gang.problem !== undefined) refused += 1
      if (gang.minMember !== undefined && !(Number.isSafeInteger(gang.minMember) && gang.minMember >= 1)) {
        throw new Error(`minMember is ${gang.minMember}`)
      }
      if (gang.problem !== undefined && gang.problem.length > 1_000) throw new Error('the problem is not short')
    }),
    { numRuns: 80_000 }
  )
  t.comment(`${gangs} gangs, ${refused} of them refused`)
  t.ok(gangs > 10_000 && refused > 5_000, 'the cases reach what they are about')
})

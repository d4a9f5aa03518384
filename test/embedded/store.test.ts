import t from 'tap'
import type { WatchEvent } from '../../extender/embedded/store/client.ts'
import type { KubeObject } from '../../extender/embedded/store/objects.ts'
import { asked, type Answer, causesOf } from './api-call.ts'
import { configMap, configMaps, type Loose, pod, pods } from './http-rig.ts'

const maps = { resource: 'configmaps', namespace: 'default' }
const shown = ({ type, object }: WatchEvent) => `${type} ${object.metadata.name}`
const versionOf = ({ metadata }: KubeObject) => Number(metadata.resourceVersion)

t.test('every change has a higher version than the one before, whatever it is of', async t => {
  const { api, post, patch, remove } = asked()
  const versions = [
    post(configMaps, configMap('a')).body,
    post('/api/v1/nodes', { metadata: { name: 'n' } }).body,
    post(pods, pod('p')).body,
    patch(`${configMaps}/a`, { data: { k: 'v' } }).body
  ].map(versionOf)
  t.strictSame(
    versions,
    versions.toSorted((one, other) => one - other)
  )
  t.equal(new Set(versions).size, versions.length)
  t.equal(api.resourceVersion, String(versions.at(-1)))
  t.equal(api.list('configmaps').resourceVersion, api.resourceVersion, "a list's version is that of everything")
  const before = api.get({ ...maps, name: 'a' })
  t.equal(patch(`${configMaps}/a`, { data: { k: 'v' } }).body, before, 'a write that changes nothing is none')
  t.equal(api.resourceVersion, String(versions.at(-1)))
  remove(`${configMaps}/a`)
  t.equal(Number(api.resourceVersion), versions.at(-1)! + 1, 'an end is a change as well')
})

t.test('whoever writes an old state is told so', async t => {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
  const modified = /^Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply/
  type Asking = ReturnType<typeof asked> & { readonly old: string; readonly uid: string }
  const cases: Record<string, [(a: Asking) => Answer, want: object]> = {
    'a PUT of the current version is written': [
      ({ api, put }) => put(`${configMaps}/a`, { metadata: { name: 'a', resourceVersion: api.resourceVersion } }),
      { code: 200 }
    ],
    'a PUT of an old version is a Conflict': [
      ({ put, old }) => put(`${configMaps}/a`, { metadata: { name: 'a', resourceVersion: old } }),
      { code: 409, body: { reason: 'Conflict', message: modified, details: { name: 'a', kind: 'configmaps' } } }
    ],
    'a PUT without a version does not care': [({ put }) => put(`${configMaps}/a`, configMap('a')), { code: 200 }],
    'a patch with an old version is a Conflict': [
      ({ patch, old }) => patch(`${configMaps}/a`, { metadata: { resourceVersion: old } }),
      { code: 409, body: { reason: 'Conflict', message: modified } }
    ],
    'a PUT with the uid of another object is a Conflict': [
      ({ put }) => put(`${configMaps}/a`, { metadata: { name: 'a', uid: 'other' } }),
      { code: 409, body: { message: /Precondition failed: UID in precondition: other, UID in object meta: / } }
    ],
    'a PUT with its own uid is written': [
      ({ put, uid }) => put(`${configMaps}/a`, { metadata: { name: 'a', uid } }),
      { code: 200 }
    ],
    'a PUT of what is not there is not found': [
      ({ put }) => put(`${configMaps}/b`, configMap('b')),
      { code: 404, body: { reason: 'NotFound', message: 'configmaps "b" not found' } }
    ],
    'but makes a Lease': [
      ({ put }) =>
        put(`${leases}/b`, { metadata: { name: 'b', resourceVersion: '3' }, spec: { holderIdentity: 'me' } }),
      { code: 201, body: { kind: 'Lease', spec: { holderIdentity: 'me' } } }
    ],
    'a Lease is not changed without a version': [
      ({ post, put }) => post(leases, { metadata: { name: 'l' } }) && put(`${leases}/l`, { metadata: { name: 'l' } }),
      { code: 422, body: { reason: 'Invalid', message: /metadata.resourceVersion: .*must be specified for an update/ } }
    ],
    'what is made has no version yet': [
      ({ post }) => post(configMaps, { metadata: { name: 'c', resourceVersion: '5' } }),
      { code: 500, body: { message: 'resourceVersion should not be set on objects to be created' } }
    ],
    'a name is taken once': [
      ({ post }) => post(configMaps, configMap('a')),
      { code: 409, body: { reason: 'AlreadyExists', message: 'configmaps "a" already exists' } }
    ]
  }
  for (const [name, [act, want]] of Object.entries(cases)) {
    const asking = asked()
    const { metadata } = asking.post(configMaps, configMap('a')).body
    asking.patch(`${configMaps}/a`, { data: { k: 'v' } })
    t.match(act({ ...asking, old: metadata.resourceVersion, uid: metadata.uid }), want, name)
  }
})

t.test('what only the server writes stays as it is', async t => {
  const { post, patch } = asked()
  const mine = { uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z', deletionTimestamp: '2001-01-01T00:00:00Z' }
  const { body: made } = post(configMaps, { metadata: { name: 'a', ...mine } })
  t.match(made.metadata, { uid: /^[0-9a-f]{8}-/, creationTimestamp: '2026-01-02T03:04:06Z' })
  t.notOk(made.metadata.deletionTimestamp)
  const changed = patch(`${configMaps}/a`, { metadata: { creationTimestamp: '2001-01-01T00:00:00Z', generation: 7 } })
  t.strictSame(changed.body, made, 'a creation is not moved, and its changes are not miscounted')
  for (const [field, value] of Object.entries({ uid: 'x', deletionTimestamp: '2001-01-01T00:00:00Z' }))
    t.strictSame(causesOf(patch(`${configMaps}/a`, { metadata: { [field]: value } })), [
      `metadata.${field}: Invalid value: "${value}": field is immutable`
    ])
  t.strictSame(causesOf(patch(`${configMaps}/a`, { metadata: { deletionGracePeriodSeconds: 3 } })), [
    'metadata.deletionGracePeriodSeconds: Invalid value: 3: field is immutable'
  ])
  t.match(patch(`${configMaps}/a`, { metadata: { name: 'b' } }), { code: 400, body: { message: /does not match/ } })
})

t.test('what is handed out cannot be changed, and what was handed in is let go', async t => {
  const { api } = asked()
  const given = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', labels: { a: 'b' } }, data: { k: 'v' } }
  const made = api.create('configmaps', given)
  given.data.k = 'changed'
  given.metadata.labels.a = 'changed'
  const [listed] = api.list('configmaps').items
  const seen: KubeObject[] = []
  api.watch('configmaps', ({ object }) => seen.push(object))
  for (const object of [made, api.get({ ...maps, name: 'a' })!, listed!, seen[0]!]) {
    t.match(object, { metadata: { labels: { a: 'b' } }, data: { k: 'v' } })
    for (const change of [
      (each: Loose) => (each.data.k = 'x'),
      (each: Loose) => (each.metadata.labels = {}),
      (each: Loose) => delete each.kind,
      (each: Loose) => (each.status = {})
    ])
      t.throws(() => change(object), TypeError)
  }
  t.throws(() => (api.list('configmaps').items as KubeObject[]).push(made), TypeError, 'nor can a list')
  t.match(api.list('configmaps').items, { length: 1 })
})

t.test('generateName: five characters that are mistaken for no others', async t => {
  const { post, patch } = asked()
  const name = (metadata: object): string => post(configMaps, { metadata }).body.metadata.name
  t.match(name({ generateName: 'web-' }), /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  t.match(name({ generateName: 'x'.repeat(80) }), /^x{58}.{5}$/, 'the prefix makes room')
  t.equal(name({ name: 'mine', generateName: 'web-' }), 'mine', 'a name goes before')
  t.match(patch(`${configMaps}/mine`, { metadata: { generateName: null } }).body.metadata, { generateName: undefined })
  t.strictSame(causesOf(post(configMaps, { metadata: {} })), [
    'metadata.name: Required value: name or generateName is required'
  ])

  const draws = [0, 0.5]
  let drawn = 0
  const random = () => draws[Math.floor(drawn++ / 200) % draws.length]!
  const taken = asked({ random })
  drawn = 0
  const names = Array.from({ length: 3 }, () => taken.post(configMaps, { metadata: { generateName: 'a-' } }))
  t.match(names[0]!.body.metadata.name, 'a-bbbbb')
  t.match(
    names.slice(1).map(({ code }) => code),
    [409, 409],
    'eight names that are taken are enough'
  )
  const luckier = asked({ random: () => draws[Math.floor(drawn++ / 30) % draws.length]! })
  drawn = 0
  const both = Array.from({ length: 2 }, () => luckier.post(configMaps, { metadata: { generateName: 'a-' } }).body)
  t.equal(new Set(both.map(({ metadata }) => metadata.name)).size, 2, 'one that is taken is drawn again')
})

const names = ({ body }: Answer) => body.items.map(({ metadata }: Loose) => metadata.name)

t.test('a list in pages is the list of one moment, as long as it is remembered', async t => {
  const { api, get, post, remove } = asked({ history: 5 })
  for (const name of ['a', 'b', 'c', 'd']) post(configMaps, configMap(name))
  const page = (more: string) => get(`${configMaps}?limit=2${more}`)
  const first = api.listPage('configmaps', { limit: 2 })
  t.match(first, { continue: String, remainingItemCount: 2 })
  remove(`${configMaps}/c`)
  post(configMaps, configMap('bb'))
  const rest = page(`&continue=${first.continue}`)
  t.strictSame(names(rest), ['c', 'd'], 'what has come since is not there, and what has gone is')
  t.equal(rest.body.continue, undefined)
  t.equal(rest.body.resourceVersion, first.resourceVersion)
  for (let count = 0; count < 6; count++) post(configMaps, configMap(`more-${count}`))
  t.match(page(`&continue=${first.continue}`), { code: 410, body: { reason: 'Expired' } })
  t.match(page('&continue=nonsense'), { code: 400, body: { reason: 'BadRequest' } })
})

const held = { finalizers: ['x.io/y'] }

t.test('an object with finalizers goes when they have', async t => {
  const { api, clock, post, get, patch, remove } = asked()
  const seen: string[] = []
  api.watch('configmaps', event => seen.push(shown(event)))
  post(configMaps, { metadata: { name: 'a', ...held } })
  await clock.advance(5000)
  t.equal(remove(`${configMaps}/a`).code, 200)
  const { metadata } = get(`${configMaps}/a`).body
  t.match(metadata, { deletionTimestamp: '2026-01-02T03:04:11Z', deletionGracePeriodSeconds: 0, ...held })
  await clock.advance(5000)
  const { resourceVersion } = api
  t.strictSame(remove(`${configMaps}/a`).body.metadata, metadata, 'a second deletion changes nothing')
  t.equal(api.resourceVersion, resourceVersion)
  t.match(post(configMaps, configMap('a')).body, {
    code: 409,
    message: 'object is being deleted: configmaps "a" already exists'
  })
  t.equal(patch(`${configMaps}/a`, { data: { still: 'here' } }).code, 200)
  t.strictSame(causesOf(patch(`${configMaps}/a`, { metadata: { finalizers: ['x.io/y', 'x.io/z'] } })), [
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.io/z"}'
  ])
  patch(`${configMaps}/a`, { metadata: { deletionTimestamp: null } })
  t.equal(get(`${configMaps}/a`).body.metadata.deletionTimestamp, metadata.deletionTimestamp, 'nothing brings it back')
  const last = patch(`${configMaps}/a`, { metadata: { finalizers: null } })
  t.match(last, { code: 200, body: { data: { still: 'here' } } })
  t.equal(get(`${configMaps}/a`).code, 404)
  t.strictSame(seen, ['ADDED a', 'MODIFIED a', 'MODIFIED a', 'DELETED a'])
})

t.test('how an object is to be deleted is written down as a finalizer', async t => {
  const jobs = '/apis/batch/v1/namespaces/default/jobs'
  const template = { spec: { containers: [{ name: 'main', image: 'none' }], restartPolicy: 'Never' } }
  const cases: Record<string, [options: object, want: string[] | undefined, from?: string[], path?: string]> = {
    'by default it just goes': [{}, undefined],
    'in the background it just goes': [{ propagationPolicy: 'Background' }, undefined],
    'after what it owns': [{ propagationPolicy: 'Foreground' }, ['foregroundDeletion']],
    'without what it owns': [{ propagationPolicy: 'Orphan' }, ['orphan']],
    'the later policy counts': [{ propagationPolicy: 'Foreground' }, ['foregroundDeletion'], ['orphan']],
    'its own finalizers stay': [{ propagationPolicy: 'Orphan' }, ['x.io/y', 'orphan'], ['x.io/y']],
    "a Job's pods stay by default": [{}, ['orphan'], [], jobs],
    'unless it says otherwise itself': [{}, ['foregroundDeletion'], ['foregroundDeletion'], jobs]
  }
  for (const [name, [options, want, finalizers = [], path = configMaps]] of Object.entries(cases)) {
    const { get, post, remove } = asked()
    post(path, { metadata: { name: 'a', finalizers }, ...(path === jobs && { spec: { template } }) })
    t.equal(remove(`${path}/a`, options).code, 200)
    t.strictSame(get(`${path}/a`).body.metadata?.finalizers, want, name)
  }
})

t.test('a deletion may be meant for one object only', async t => {
  const cases: Record<string, [(metadata: Loose) => object, want: object]> = {
    'of this uid': [({ uid }) => ({ uid }), { code: 200 }],
    'of another uid': [
      () => ({ uid: 'other' }),
      {
        code: 409,
        body: { reason: 'Conflict', message: /the UID in the precondition \(other\) does not match the UID in record/ }
      }
    ],
    'in this state': [({ resourceVersion }) => ({ resourceVersion }), { code: 200 }],
    'in another state': [
      () => ({ resourceVersion: '1' }),
      { code: 409, body: { message: /the ResourceVersion in the precondition \(1\) does not match/ } }
    ],
    'of this uid in another state': [({ uid }) => ({ uid, resourceVersion: '1' }), { code: 409 }]
  }
  for (const [name, [preconditions, want]] of Object.entries(cases)) {
    const { get, post, remove } = asked()
    const { metadata } = post(configMaps, configMap('a')).body
    const answer = remove(`${configMaps}/a`, { preconditions: preconditions(metadata) })
    t.match(answer, want, name)
    t.equal(get(`${configMaps}/a`).code, answer.code === 200 ? 404 : 200)
    t.equal(remove(`${configMaps}/b`).code, 404)
  }
})

t.test('a pod that a kubelet has is given time', async t => {
  const bound = { nodeName: 'n' }
  type Want = { grace?: number; seen: string; status?: object; twice?: object }
  const cases: Record<string, [spec: object, options: object | undefined, Want]> = {
    'an unbound one goes at once': [{}, {}, { seen: 'MODIFIED DELETED' }],
    'a bound one has half a minute': [bound, {}, { grace: 30, seen: 'MODIFIED' }],
    'or as long as it says': [{ ...bound, terminationGracePeriodSeconds: 7 }, {}, { grace: 7, seen: 'MODIFIED' }],
    'or as whoever deletes it says': [bound, { gracePeriodSeconds: 5 }, { grace: 5, seen: 'MODIFIED' }],
    'less than nothing is a second': [bound, { gracePeriodSeconds: -1 }, { grace: 1, seen: 'MODIFIED' }],
    'a negative grace of its own too': [
      { ...bound, terminationGracePeriodSeconds: -5 },
      {},
      { grace: 1, seen: 'MODIFIED' }
    ],
    'no time at all ends it': [bound, { gracePeriodSeconds: 0 }, { seen: 'MODIFIED DELETED' }],
    'one that has ended needs none': [bound, {}, { seen: 'MODIFIED DELETED', status: { phase: 'Succeeded' } }],
    'nor one that has failed': [bound, {}, { seen: 'MODIFIED DELETED', status: { phase: 'Failed' } }],
    'a second deletion shortens it': [
      bound,
      {},
      { grace: 10, seen: 'MODIFIED MODIFIED', twice: { gracePeriodSeconds: 10 } }
    ],
    'and never lengthens it': [bound, {}, { grace: 30, seen: 'MODIFIED', twice: { gracePeriodSeconds: 60 } }],
    'and may end it': [bound, {}, { seen: 'MODIFIED MODIFIED DELETED', twice: { gracePeriodSeconds: 0 } }]
  }
  for (const [name, [spec, options, want]] of Object.entries(cases)) {
    const { api, get, post, patch, remove } = asked()
    post(pods, pod('p', spec))
    if (want.status) patch(`${pods}/p/status`, { status: want.status })
    const seen: string[] = []
    api.watch('pods', ({ type }) => seen.push(type), { from: api.resourceVersion })
    remove(`${pods}/p`, options)
    if (want.twice) remove(`${pods}/p`, want.twice)
    t.equal(get(`${pods}/p`).body.metadata?.deletionGracePeriodSeconds, want.grace, name)
    t.equal(seen.join(' '), want.seen, name)
  }
})

t.test('the end of a grace is counted from the first deletion', async t => {
  const { clock, get, post, patch, remove } = asked()
  post(pods, { ...pod('p', { nodeName: 'n' }), metadata: { name: 'p', ...held } })
  const metadata = () => get(`${pods}/p`).body.metadata
  remove(`${pods}/p`)
  t.match(metadata(), { deletionTimestamp: '2026-01-02T03:04:36Z', generation: 2 })
  await clock.advance(10_000)
  remove(`${pods}/p`, { gracePeriodSeconds: 20 })
  t.match(metadata(), { deletionTimestamp: '2026-01-02T03:04:26Z', generation: 2 })
  remove(`${pods}/p`, { gracePeriodSeconds: 0 })
  t.match(metadata(), { deletionGracePeriodSeconds: 0, ...held }, 'its finalizers hold it still')
  patch(`${pods}/p`, { metadata: { finalizers: [] } })
  t.equal(get(`${pods}/p`).code, 404)
})

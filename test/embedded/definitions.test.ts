import t from 'tap'
import { columnsOf } from '../../extender/embedded/api-server/tables/columns-of.ts'
import { type Answer, asked, causesOf } from './api-call.ts'
import type { Loose } from './http-rig.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const integer = { type: 'integer' }
const text = { type: 'string' }
const object = (properties: object, more: object = {}) => ({ type: 'object', properties, ...more })
const quantity = {
  ...{ anyOf: [integer, text], 'x-kubernetes-int-or-string': true },
  pattern: String.raw`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE])?$`
}
const version = (schema: object | undefined, more: object = {}) => ({
  ...{ name: 'v1', served: true, storage: true },
  ...(schema && { schema: { openAPIV3Schema: schema } }),
  ...more
})
const definition = (versions: object[], spec: object = {}, group = 'ex.io', metadata: object = {}) => ({
  metadata: { name: `things.${group}`, ...metadata },
  spec: { group, scope: 'Namespaced', names: { plural: 'things', kind: 'Thing' }, versions, ...spec }
})
const things = '/apis/ex.io/v1/namespaces/default/things'
const thing = (spec: Loose, more: object = {}, name = 'a') => ({
  ...{ apiVersion: 'ex.io/v1', kind: 'Thing', metadata: { name }, spec },
  ...more
})

/** An API that serves things with such a spec. */
function serving(properties: object, more: object = {}) {
  const asking = asked()
  const spec = object(properties, more)
  const { code, body } = asking.post(definitions, definition([version(object({ spec, status: object({}) }))]))
  if (code !== 201) throw new Error(JSON.stringify(body))
  return asking
}

const schema = {
  size: { type: 'integer', minimum: 1, maximum: 10 },
  half: { type: 'number', exclusiveMinimum: true, minimum: 0 },
  even: { type: 'integer', multipleOf: 2 },
  mode: { type: 'string', enum: ['a', 'b'] },
  name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 4 },
  flag: { type: 'boolean' },
  none: { type: 'string', nullable: true },
  when: { type: 'string', format: 'date-time' },
  port: { 'x-kubernetes-int-or-string': true },
  map: { type: 'object', additionalProperties: integer, minProperties: 1, maxProperties: 2 },
  matrix: { type: 'array', maxItems: 2, items: { type: 'array', items: { type: 'integer', minimum: 0 } } },
  list: {
    ...{ type: 'array', minItems: 1, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['key'] },
    items: object({ key: text, value: integer }, { required: ['key'] })
  },
  set: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
  limits: { type: 'object', additionalProperties: quantity },
  deep: object({ one: object({ two: integer }, { required: ['two'] }) }),
  template: { ...object({ spec: object({ x: text }) }), 'x-kubernetes-embedded-resource': true }
}
const invalid = (field: string, value: unknown, said: string) =>
  `spec.${field}: Invalid value: ${JSON.stringify(value)}: spec.${field} in body ${said}`
const type = (field: string, is: string, want: string) => invalid(field, is, `must be of type ${want}: "${is}"`)

t.test('objects are checked by the schema of their definition', async t => {
  const cases: Record<string, [spec: Loose, ...want: string[]]> = {
    'a number within its bounds': [{ size: 10 }],
    'too small': [{ size: 0 }, invalid('size', 0, 'should be greater than or equal to 1')],
    'too large': [{ size: 11 }, invalid('size', 11, 'should be less than or equal to 10')],
    'not above': [{ half: 0 }, invalid('half', 0, 'should be greater than 0')],
    'any number': [{ half: 0.3 }],
    'no multiple': [{ even: 3 }, invalid('even', 3, 'should be a multiple of 2')],
    'a text for a number': [{ size: '5' }, type('size', 'string', 'integer')],
    'half a number': [{ size: 1.5 }, type('size', 'number', 'integer')],
    'a number for a boolean': [{ flag: 1 }, type('flag', 'integer', 'boolean')],
    'a list for an object': [{ map: [] }, type('map', 'array', 'object')],
    'a choice that there is not': [{ mode: 'z' }, 'spec.mode: Unsupported value: "z": supported values: "a", "b"'],
    'another pattern': [{ name: 'A1' }, invalid('name', 'A1', "should match '^[a-z]+$'")],
    'too short, which is said alone': [{ name: 'A' }, invalid('name', 'A', 'should be at least 2 chars long')],
    'too long': [{ name: 'abcde' }, 'spec.name: Too long: may not be more than 4 bytes'],
    'null where it may be': [{ none: null }],
    'a time': [{ when: '2026-01-02T03:04:05Z' }],
    'no time': [{ when: 'soon' }, invalid('when', 'soon', 'must be of type date-time: "soon"')],
    'a number or a text': [{ port: 80 }],
    'a text or a number': [{ port: 'web' }],
    neither: [{ port: true }, type('port', 'boolean', 'integer,string')],
    'a map': [{ map: { a: 1 } }],
    'a map of other values': [{ map: { a: 'x' } }, type('map.a', 'string', 'integer')],
    'a map of too few': [{ map: {} }, invalid('map', 0, 'should have at least 1 properties')],
    'a map of too many': [{ map: { a: 1, b: 1, c: 1 } }, 'spec.map: Too many: 3: must have at most 2 items'],
    'lists in lists': [{ matrix: [[1], [2, 3]] }],
    'and what is wrong in them': [
      { matrix: [[1], [2, -3]] },
      'spec.matrix[1][1]: Invalid value: -3: spec.matrix[1][1] in body should be greater than or equal to 0'
    ],
    'too many': [{ matrix: [[], [], []] }, 'spec.matrix: Too many: 3: must have at most 2 items'],
    'too few': [{ list: [] }, invalid('list', 0, 'should have at least 1 items')],
    'a key twice': [{ list: [{ key: 'a' }, { key: 'a' }] }, 'spec.list[1]: Duplicate value: {"key":"a"}'],
    'no key': [{ list: [{ value: 1 }] }, 'spec.list[0].key: Required value'],
    'an entry twice': [{ set: ['a', 'a'] }, 'spec.set[1]: Duplicate value: "a"'],
    quantities: [{ limits: { cpu: '500m', memory: '1Gi', pods: 5 } }],
    'no quantity': [
      { limits: { cpu: 'much' } },
      `spec.limits.cpu: Invalid value: "much": spec.limits.cpu in body should match '${quantity.pattern}'`
    ],
    'what is needed deep down': [{ deep: { one: {} } }, 'spec.deep.one.two: Required value'],
    'an object in an object': [
      { template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { x: 'y' } } }
    ],
    'of no kind': [
      { template: { spec: {} } },
      'spec.template.apiVersion: Required value',
      'spec.template.kind: Required value'
    ]
  }
  const asking = serving(schema)
  for (const [name, [spec, ...want]] of Object.entries(cases)) {
    const answer = asking.post(things, thing(spec))
    t.strictSame(causesOf(answer), want, name)
    t.equal(answer.code, want.length === 0 ? 201 : 422, JSON.stringify(answer.body))
    asking.remove(`${things}/a`)
  }
  t.match(asking.post(things, thing({ size: 0 })).body, {
    ...{ reason: 'Invalid', details: { name: 'a', group: 'ex.io', kind: 'Thing' } },
    message: /^Thing.ex.io "a" is invalid: spec.size: Invalid value: 0: /
  })
  const needs = serving({ size: integer }, { required: ['size'] })
  t.strictSame(causesOf(needs.post(things, thing({}))), ['spec.size: Required value'])
  t.strictSame(causesOf(needs.post(things, thing({ size: null }))), ['spec.size: Required value'])
})

t.test('defaults are filled in, and what nobody knows is left out', async t => {
  const { post, get, patch } = serving({
    mode: { ...text, default: 'a' },
    flag: { type: 'boolean', default: false },
    inner: { ...object({ deep: { ...integer, default: 3 } }), default: {} },
    outer: object({ deep: { ...integer, default: 3 } }),
    list: { type: 'array', items: object({ value: { ...integer, default: 7 } }) },
    none: { ...text, nullable: true, default: 'x' },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    any: { 'x-kubernetes-preserve-unknown-fields': true }
  })
  const usual = { mode: 'a', flag: false, inner: { deep: 3 }, none: 'x' }
  const cases: Record<string, [given: object, want: object, ...unknown: string[]]> = {
    'what is missing': [{}, usual],
    'null is missing': [{ mode: null, flag: null }, usual],
    'unless it may be null': [{ none: null }, { ...usual, none: null }],
    'in objects that are there': [{ outer: {} }, { ...usual, outer: { deep: 3 } }],
    'in lists': [{ list: [{}, { value: 1 }] }, { ...usual, list: [{ value: 7 }, { value: 1 }] }],
    'what is unknown goes': [
      { foo: 1, inner: { bar: 1 }, list: [{ baz: 1 }] },
      { ...usual, list: [{ value: 7 }] },
      ...['spec.foo', 'spec.inner.bar', 'spec.list[0].baz']
    ],
    'unless it may stay': [
      { free: { x: { y: [1, null] } }, any: [1, 'x'] },
      { ...usual, free: { x: { y: [1, null] } }, any: [1, 'x'] }
    ]
  }
  for (const [index, [name, [given, want, ...unknown]]] of Object.entries(cases).entries()) {
    const { code, body, warnings = [] } = post(things, thing(given, {}, `t-${index}`))
    t.strictSame([code, body.spec], [201, want], name)
    t.strictSame(
      warnings,
      unknown.map(path => `unknown field "${path}"`)
    )
  }
  const strict = post(`${things}?fieldValidation=Strict`, thing({ foo: 1 }, { bar: 2 }, 'strict'))
  t.match(strict, {
    code: 400,
    body: { message: /strict decoding error: unknown field "bar", unknown field "spec.foo"/ }
  })
  t.equal(get(`${things}/strict`).code, 404)
  t.strictSame(patch(`${things}/t-0`, { spec: { mode: 'b', foo: 1 } }).body.spec, { ...usual, mode: 'b' })
  t.match(post(things, thing({}, { metadata: { name: 'm', labels: { a: 1 } } })), { code: 400 }, 'metadata is typed')
})

t.test('a definition is refused', async t => {
  const root = 'spec.validation.openAPIV3Schema'
  const types = 'supported values: "array", "boolean", "integer", "number", "object", "string"'
  const ok = version(object({}))
  const cases: Record<string, [object, ...want: (string | RegExp)[]]> = {
    'without a schema': [definition([version(undefined)]), 'spec.versions[0].schema.openAPIV3Schema: Required value'],
    'of no type': [definition([version({})]), `${root}.type: Required value: must not be empty at the root`],
    'of another type': [
      definition([version(text)]),
      `${root}.type: Invalid value: "string": must be object at the root`
    ],
    'with fields of no type': [
      definition([version(object({ spec: {} }))]),
      `${root}.properties[spec].type: Required value: must not be empty for specified object fields`
    ],
    'with lists of nothing': [
      definition([version(object({ spec: { type: 'array' } }))]),
      `${root}.properties[spec].items: Required value: must be specified`
    ],
    'of unknown types': [
      definition([version(object({ spec: { type: 'thing' } }))]),
      `${root}.properties[spec].type: Unsupported value: "thing": ${types}`
    ],
    'with a default that is none': [
      definition([version(object({ a: { ...integer, default: 'x' } }))]),
      `${root}.properties[a].default: Invalid value: "string":  in body must be of type integer: "string"`
    ],
    'with keys of nothing': [
      definition([version(object({ a: { type: 'array', 'x-kubernetes-list-type': 'map', items: object({}) } }))]),
      `${root}.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`
    ],
    'under another name': [
      definition([ok], {}, 'ex.io', { name: 'x.y' }),
      'metadata.name: Invalid value: "x.y": must be spec.names.plural+"."+spec.group'
    ],
    'of no scope': [
      definition([ok], { scope: 'World' }),
      'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"'
    ],
    'stored nowhere': [
      definition([version(object({}), { storage: false })]),
      /^spec.versions: Invalid value: .*: must have exactly one version marked as storage version$/,
      'status.storedVersions: Invalid value: null: must have at least one stored version'
    ],
    'of one version twice': [
      definition([ok, version(object({}), { storage: false })]),
      /^spec.versions: Invalid value: .*: must contain unique version names$/
    ],
    'of a group that is given out': [
      definition([ok], {}, 'foo.k8s.io'),
      /^metadata.annotations\[api-approved.kubernetes.io\]: Required value: protected groups must have approval/
    ]
  }
  for (const [name, [given, ...want]] of Object.entries(cases)) {
    const { post, get } = asked()
    const answer = post(definitions, given)
    t.match(answer, { code: 422, body: { reason: 'Invalid' } }, name)
    t.match(causesOf(answer), want)
    t.equal(get('/apis/ex.io/v1/things').code, 404, 'nothing is served')
  }
})

t.test('a definition stays what it is, and a version for as long as something is stored in it', async t => {
  const { post, patch } = asked()
  const one = `${definitions}/things.ex.io`
  const [first, second] = [object({}), object({ spec: object({}) })].map((schema, index) =>
    version(schema, { name: `v${index + 1}`, storage: false })
  )
  const storing = { storage: true }
  post(definitions, definition([{ ...first, ...storing }]))
  for (const [field, wrong] of Object.entries({ group: 'ey.io', scope: 'Cluster' })) {
    const want = [`spec.${field}: Invalid value: "${wrong}": field is immutable`]
    t.strictSame(causesOf(patch(one, { spec: { [field]: wrong } })), want)
  }
  for (const field of ['kind', 'plural']) {
    const want = [`spec.names.${field}: Invalid value: "other": field is immutable`]
    t.strictSame(causesOf(patch(one, { spec: { names: { [field]: 'other' } } })), want)
  }
  t.match(patch(one, { spec: { names: { shortNames: ['th'] } } }).body.status.acceptedNames, { shortNames: ['th'] })
  const stored = (...versions: object[]) => patch(one, { spec: { versions } }).body.status.storedVersions
  t.strictSame(stored({ ...first, ...storing }, second!), ['v1'])
  t.strictSame(stored(first!, { ...second, ...storing }), ['v1', 'v2'])
  const alone = { spec: { versions: [{ ...second, ...storing }] } }
  t.match(causesOf(patch(one, alone)), [
    /^status.storedVersions\[0\]: Invalid value: "v1": missing from spec.versions; /
  ])
  patch(`${one}/status`, { status: { storedVersions: ['v2'] } })
  t.equal(patch(one, alone).code, 200)
})

t.test('a definition is served at once, and its columns are shown', async t => {
  const { api, post, get } = asked()
  t.equal(get(things).code, 404)
  const columns = [
    { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status', priority: 1 }
  ]
  const spec = object({ size: integer })
  const made = post(definitions, definition([version(object({ spec }), { additionalPrinterColumns: columns })]))
  const names = { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' }
  t.match(made.body, {
    spec: { names, conversion: { strategy: 'None' } },
    status: {
      acceptedNames: names,
      storedVersions: ['v1'],
      conditions: [
        { type: 'NamesAccepted', status: 'True' },
        { type: 'Established', status: 'True' }
      ]
    }
  })
  t.match(get(things), { code: 200, body: { items: { length: 0 } } })
  const resource = api.resources.get('things.ex.io')!
  t.match(resource, { kind: 'Thing', namespaced: true, versions: ['v1'], subresources: { length: 0 } })
  const shown = columnsOf(resource, 'v1')
  t.strictSame(
    shown.map(({ name, priority }) => `${name}${priority ? '*' : ''}`),
    ['Name', 'Size', 'Ready*']
  )
  const row = { ...post(things, thing({ size: 3 })).body, status: { conditions: [{ type: 'Ready', status: 'True' }] } }
  t.strictSame(
    shown.map(column => column.cell(row, 0)),
    ['a', 3, 'True']
  )
})

const groups = '/apis/scheduling.x-k8s.io/v1alpha1/namespaces/default/podgroups'
/** As scheduler-plugins defines it. */
const podGroups = {
  metadata: { name: 'podgroups.scheduling.x-k8s.io' },
  spec: {
    ...{ group: 'scheduling.x-k8s.io', scope: 'Namespaced' },
    names: {
      kind: 'PodGroup',
      listKind: 'PodGroupList',
      plural: 'podgroups',
      shortNames: ['pg', 'pgs'],
      singular: 'podgroup'
    },
    versions: [
      version(
        object({
          ...{ apiVersion: text, kind: text, metadata: { type: 'object' } },
          spec: object({
            minMember: { type: 'integer', format: 'int32', minimum: 1 },
            minResources: { type: 'object', additionalProperties: quantity },
            scheduleTimeoutSeconds: { type: 'integer', format: 'int32' }
          }),
          status: object({ phase: text, running: { type: 'integer', format: 'int32' }, scheduleStartTime: schema.when })
        }),
        { name: 'v1alpha1', subresources: { status: {} }, selectableFields: [{ jsonPath: '.status.phase' }] }
      )
    ]
  }
}
const group = (name: string, spec: object, more: object = {}) => ({
  ...{ apiVersion: 'scheduling.x-k8s.io/v1alpha1', kind: 'PodGroup', metadata: { name }, spec },
  ...more
})

t.test('pod groups of scheduler-plugins', async t => {
  const { api, post, get, put, patch, remove } = asked()
  post(definitions, podGroups)
  t.match(api.resources.get('podgroups.scheduling.x-k8s.io'), { shortNames: ['pg', 'pgs'] })
  const seen: string[] = []
  api.watch('podgroups.scheduling.x-k8s.io', ({ type, object: { metadata } }) =>
    seen.push(`${type} ${metadata.name} ${metadata.generation}`)
  )
  const made = post(groups, group('g', { minMember: 3, minResources: { cpu: 3 } }, { status: { phase: 'Running' } }))
  t.match(made, { code: 201, body: { metadata: { generation: 1, uid: String }, spec: { minMember: 3 } } })
  t.notOk('status' in made.body, 'it begins without a status')
  t.strictSame(causesOf(post(groups, group('h', { minMember: 0 }))), [
    'spec.minMember: Invalid value: 0: spec.minMember in body should be greater than or equal to 1'
  ])
  const status = patch(`${groups}/g/status`, {
    status: { phase: 'Pending' },
    spec: { minMember: 9 },
    metadata: { labels: { a: 'b' } }
  })
  t.match(status.body, { status: { phase: 'Pending' }, spec: { minMember: 3 }, metadata: { labels: undefined } })
  const spec = patch(`${groups}/g`, { status: { phase: 'Odd' }, spec: { minMember: 4 } })
  t.match(spec.body, { status: { phase: 'Pending' }, spec: { minMember: 4 }, metadata: { generation: 2 } })
  t.match(put(`${groups}/g`, group('g', {})), { code: 422, body: { message: /must be specified for an update/ } })
  t.match(put(`${groups}/g`, spec.body), { code: 200 })
  const found = (phase: string) => get(`${groups}?fieldSelector=status.phase%3D${phase}`)
  t.match([found('Pending').body.items.length, found('Running').body.items.length], [1, 0])
  t.match(get(`${groups}?fieldSelector=spec.minMember%3D4`), { code: 400 })
  t.equal(remove(`${groups}/g`).code, 200)
  t.equal(get(`${groups}/g`).code, 404)
  t.strictSame(seen, ['ADDED g 1', 'MODIFIED g 1', 'MODIFIED g 2', 'DELETED g 2'])
})

t.test('a definition that goes takes its objects with it', async t => {
  const { api, post, get, patch, remove } = serving({ size: integer })
  const seen: string[] = []
  api.watch('things.ex.io', ({ type, object: { metadata } }) => seen.push(`${type} ${metadata.name}`))
  post(things, thing({}, {}, 'a'))
  post(things, thing({}, { metadata: { name: 'b', finalizers: ['x.io/y'] } }))
  const one = `${definitions}/things.ex.io`
  const answer: Answer = remove(one)
  t.match(answer, { code: 200, body: { metadata: { deletionTimestamp: String } } })
  t.match(get(one).body, {
    metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'] },
    status: { conditions: [{}, {}, { type: 'Terminating', status: 'True', reason: 'InstanceDeletionInProgress' }] }
  })
  t.match(get(things).body.items, [{ metadata: { name: 'b', deletionTimestamp: String } }], 'what is held stays')
  t.match(post(things, thing({}, {}, 'c')), { code: 403, body: { reason: 'Forbidden' } })
  patch(`${things}/b`, { metadata: { finalizers: null } })
  t.equal(get(one).code, 404)
  t.equal(get(things).code, 404, 'then nothing is served any more')
  t.strictSame(seen, ['ADDED a', 'ADDED b', 'DELETED a', 'MODIFIED b', 'DELETED b'])
  post(definitions, definition([version(object({ spec: object({}) }))]))
  t.match(get(things).body.items, { length: 0 }, 'and a new one begins with none')
  t.equal(remove(one).code, 200)
  t.equal(get(one).code, 404, 'one without objects goes at once')
})

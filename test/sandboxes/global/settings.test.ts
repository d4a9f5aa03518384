import t from 'tap'
import { startGlobal } from '../../../extender/sandboxes/global/serve.ts'
import { entriesOfFlags, settingsOf, settingsOfFile } from '../../../extender/sandboxes/global/settings.ts'
import { recordingLog } from '../serve.ts'

const whole = `
strategy: weighted-random
failoverAfter: 2m
clusters:
  - name: near
    endpoint: http://127.0.0.1:50052/
    weight: 2.5
    labels: {region: eu}
    capacity: 100
  - {name: far, endpoint: 'https://far.example:8443/schedulers/x', priority: 1, weight: 0, state: draining}
`

t.test('S0.26 a file names the clusters', async t => {
  const { clusters, ...more } = settingsOf(whole, 'clusters.yaml')
  t.strictSame(more, { strategy: 'weighted-random', failoverAfterMs: 120_000 })
  t.strictSame(clusters, [
    {
      endpoint: 'http://127.0.0.1:50052',
      cluster: {
        ...{ name: 'near', priority: 0, weight: 2.5, labels: new Map([['region', 'eu']]), state: 'active' },
        capacity: 100
      }
    },
    {
      endpoint: 'https://far.example:8443/schedulers/x',
      cluster: { name: 'far', priority: 1, weight: 0, labels: new Map(), state: 'draining' }
    }
  ])
  t.strictSame(settingsOf('', 'f'), { clusters: [], strategy: 'rendezvous', failoverAfterMs: 300_000 }, 'defaults')
  const file = `${t.testdir({ 'clusters.yaml': whole })}/clusters.yaml`
  t.equal(settingsOfFile(file).clusters.length, 2)
  t.throws(() => settingsOfFile(`${file}.not`), { message: /^cannot read .*clusters\.yaml\.not: ENOENT/ })
})

t.test('S0.26 flags name clusters too', async t => {
  const [a, b] = entriesOfFlags(['a=http://h:1', 'b=http://h:2/x,priority=2,weight=0.5,state=disabled,capacity=3'])
  t.match(a, { endpoint: 'http://h:1', cluster: { name: 'a', priority: 0, weight: 1, state: 'active' } })
  t.match(b, { endpoint: 'http://h:2/x', cluster: { priority: 2, weight: 0.5, state: 'disabled', capacity: 3 } })
})

const one = (more: string) => `clusters: [{name: a, endpoint: 'http://h:1', ${more}}]`
const files: Record<string, readonly [string, RegExp]> = {
  'an unknown key': ['cluster: []', /^f: "cluster" is unknown; keys are clusters, strategy, failoverAfter$/],
  'an unknown key of a cluster': [one('wieght: 2'), /^f: clusters\[0\]: "wieght" is unknown; keys are name, endpoint/],
  'no list': ['clusters: {}', /^f: clusters must be a list$/],
  'no object': ['clusters: [a]', /^f: clusters\[0\] must have keys: name/],
  'no name': ['clusters: [{}]', /^f: clusters\[0\]: name is missing: it must be lower-case letters/],
  'no endpoint': ['clusters: [{name: a}]', /endpoint is missing: it must be a URL such as http/],
  'a bad name': ['clusters: [{name: A_b}]', /name "A_b" must be lower-case/],
  'a bad endpoint': ["clusters: [{name: a, endpoint: 'ftp://h'}]", /endpoint "ftp:\/\/h" must be a URL/],
  'a priority below 0': [one('priority: -1'), /priority -1 must be an integer from 0 on$/],
  'a priority as text': [one("priority: '1'"), /priority "1" must be an integer/],
  'a weight below 0': [one('weight: -1'), /weight -1 must be a number from 0 to 1000000$/],
  'a weight without end': [one('weight: .inf'), /weight null must be a number/],
  'a bad state': [one('state: on'), /state "on" must be one of active, draining, disabled$/],
  'a bad capacity': [one('capacity: 1.5'), /capacity 1.5 must be an integer/],
  'bad labels': [one('labels: {a: 1}'), /labels\.a 1 must be a text$/],
  'labels in a list': [one('labels: [a]'), /labels must be keys with texts$/],
  'the same name twice': [
    `clusters: [{name: a, endpoint: 'http://h'}, {name: a, endpoint: 'http://i'}]`,
    /two clusters a$/
  ],
  'a bad strategy': ['strategy: luck', /^f: strategy "luck" must be one of rendezvous, weighted-random$/],
  'a bad duration': ['failoverAfter: 5', /failoverAfter 5 must be a duration up to 24h, such as 5m$/],
  'no YAML': ['clusters: [', /^f: /],
  'a list': ['[]', /^f must have keys: clusters/]
}
for (const [name, [text, want]] of Object.entries(files)) {
  t.test(`a file is refused in one sentence: ${name}`, async t => {
    t.throws(() => settingsOf(text, 'f'), { name: 'UsageError', message: want })
  })
}

t.test('flags are refused in one sentence', async t => {
  const table = {
    a: /^--cluster "a" must be NAME=URL/,
    'a=http://h,wieght=1': /"wieght=1" must be priority=N, weight=N/,
    'a=http://h,weight=x': /weight "x" must be a number/,
    'a=nowhere': /endpoint "nowhere" must be a URL/
  }
  for (const [flag, message] of Object.entries(table))
    t.throws(() => entriesOfFlags([flag]), { name: 'UsageError', message })
  t.throws(() => entriesOfFlags(['a=http://h', 'a=http://i']), { message: /^--cluster: there are two clusters a$/ })
})

t.test('a front door without a cluster does not start', async t => {
  const { log } = recordingLog()
  await t.rejects(startGlobal({ settings: settingsOf('', 'f'), log }), { message: /^there is no cluster: name one/ })
})

import t from 'tap'
import { Collections } from './collections.ts'
import { usage } from './processes.ts'
import { svgOf } from './scheduler/chart.ts'
import { Exposition, quantile } from './scheduler/exposition.ts'
import { type Figures, figuresOf } from './scheduler/figures.ts'
import { loadOf, objectsOf, titleOf, type Way, waitingOf } from './scheduler/loads.ts'
import { markdownOf } from './scheduler/markdown.ts'
import { blocksOf, type Cell, type Conditions } from './scheduler/result.ts'
import { settingsOf } from './scheduler/settings.ts'
import { percentile, ratios, spread } from './scheduler/statistics.ts'
import { chartsOf } from './scheduler/throughput.ts'

const told = `# HELP requests_total Calls.
# TYPE requests_total counter
requests_total{verb="GET",code="200"} 7
requests_total{verb="POST",code="201"} 2
requests_total{verb="POST",code="409"} 1
requests_total_of_others{verb="POST"} 100
odd{text="a \\"quoted\\" {brace}, and a comma"} 1.5e3
plain 4
took_seconds_bucket{verb="filter",le="0.001"} 10
took_seconds_bucket{verb="filter",le="0.01"} 90
took_seconds_bucket{verb="filter",le="+Inf"} 100
took_seconds_sum{verb="filter"} 1
took_seconds_count{verb="filter"} 100
took_seconds_bucket{verb="bind",le="0.001"} 0
took_seconds_bucket{verb="bind",le="0.01"} 0
took_seconds_bucket{verb="bind",le="+Inf"} 0
took_seconds_sum{verb="bind"} 0
took_seconds_count{verb="bind"} 0
`

t.test('a metric is the sum of its series with those labels, and of no namesakes', async t => {
  const of = new Exposition(told)
  t.equal(of.sum('requests_total'), 10)
  t.equal(of.sum('requests_total', { verb: 'POST' }), 3)
  t.equal(of.sum('requests_total', { verb: 'POST', code: '409' }), 1)
  t.equal(of.sum('plain'), 4)
  t.equal(of.sum('odd', { text: 'a \\"quoted\\" {brace}, and a comma' }), 1500)
  t.equal(of.sum('nothing'), 0)
})

t.test('percentiles lie inside the bucket that holds them, as Prometheus reckons', async t => {
  const histogram = new Exposition(told).histogram('took_seconds', { verb: 'filter' })
  t.same(histogram, {
    sum: 1,
    count: 100,
    buckets: [
      { bound: 0.001, count: 10 },
      { bound: 0.01, count: 90 },
      { bound: Number.POSITIVE_INFINITY, count: 100 }
    ]
  })
  t.equal(quantile(histogram, 0.05), 0.0005, 'half way into the first')
  t.equal(quantile(histogram, 0.5)?.toFixed(6), '0.005500', 'half way into the second')
  t.equal(quantile(histogram, 0.99), 0.01, 'beyond all bounds: the largest')
  const silent = new Exposition(told).histogram('took_seconds', { verb: 'bind' })
  t.equal(quantile(silent, 0.5), undefined, 'nothing was observed')
  t.equal(quantile(new Exposition('').histogram('took_seconds'), 0.5), undefined, 'there is none')
})

t.test('rounds become a median with their reach, and ratios are of the same round', async t => {
  t.same(spread([3, 1, 2]), { median: 2, least: 1, most: 3 })
  t.same(spread([4, 1, 2, 3]), { median: 2.5, least: 1, most: 4 })
  t.same(spread([5]), { median: 5, least: 5, most: 5 })
  t.throws(() => spread([]), /at least one/)
  t.same(ratios([2, 9], [4, 3]), [0.5, 3])
  t.same(ratios([2, 9], [4]), [0.5], 'a round that the other has not run yet is left out')
  t.equal(percentile([4, 1, 3, 2], 0.5), 2)
  t.equal(percentile([4, 1, 3, 2], 0.99), 4)
  t.throws(() => percentile([], 0.5), /at least one/)
})

const isMuster = (way: Way): boolean => !['loose', 'beside', 'native'].includes(way)

t.test('loads are whole gangs, asked for in each way', async t => {
  t.same(loadOf(1, 500), { size: 1, pods: 500 })
  t.same(loadOf(64, 500), { size: 64, pods: 512 })
  t.same(loadOf(512, 100), { size: 512, pods: 512 }, 'one at least')
  t.equal(titleOf(loadOf(10, 1_000)), '100 gangs of 10')
  t.equal(titleOf(loadOf(512, 1)), 'a gang of 512')
  t.equal(titleOf(loadOf(1, 1_000)), '1,000 single pods')
  const load = loadOf(3, 6)
  for (const way of ['loose', 'native', 'ungated', 'gated', 'pinned', 'scoped', 'handed'] as const) {
    const { pods, groups } = objectsOf(load, way)
    t.same(
      pods.map(({ metadata }) => metadata.name),
      ['gang-0-0', 'gang-0-1', 'gang-0-2', 'gang-1-0', 'gang-1-1', 'gang-1-2'],
      way
    )
    t.equal(groups.length, way === 'native' ? 2 : 0)
    t.equal(pods[0]!.metadata.annotations['muster.dev/min-member'], isMuster(way) ? '3' : undefined)
    const said = JSON.stringify(pods)
    t.equal(said.includes('"muster.dev/gang"}]'), isMuster(way) && way !== 'ungated', 'who has the gate')
    t.equal(said.includes('"muster.dev/pin":"true"'), way === 'pinned' || way === 'handed', 'who asks for a pin')
    t.equal(said.includes('"muster.dev/binder":"kube-scheduler"'), way === 'handed', 'who is bound by kube-scheduler')
    t.equal(said.includes('"muster.dev/filter":"1","muster.dev/bind":"1"'), way === 'scoped', 'who is marked')
  }
  const waiting = waitingOf(20)
  t.equal(waiting.length, 20)
  t.equal(new Set(waiting.map(({ metadata }) => metadata.annotations['muster.dev/gang'])).size, 2)
})

t.test('what the kernel says of a process is read, whatever its name', async t => {
  const stat = '7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 11 0 5 1000 200'
  t.same(usage(stat, 'Name:\ta\nVmHWM:\t  9999 kB\nVmRSS:\t  2048 kB\n'), { cpu: 4, rss: 2 })
})

t.test('a run is counted from the start of kube-scheduler to the last binding', async t => {
  const before = `apiserver_request_total{verb="POST",resource="pods",subresource="binding"} 5
apiserver_request_total{verb="POST",resource="pods",subresource=""} 4`
  const after = `apiserver_request_total{verb="POST",resource="pods",subresource="binding"} 9
apiserver_request_total{verb="POST",resource="pods",subresource=""} 4
apiserver_request_total{verb="PATCH",resource="pods",subresource="status"} 6
apiserver_request_total{verb="PATCH",resource="pods",subresource=""} 2
apiserver_request_total{verb="GET",resource="pods",subresource=""} 50
apiserver_request_total{verb="POST",resource="events",subresource=""} 4`
  const scheduler = `scheduler_schedule_attempts_total{profile="muster",result="scheduled"} 4
scheduler_schedule_attempts_total{profile="muster",result="unschedulable"} 2
scheduler_scheduling_algorithm_duration_seconds_sum 0.02`
  const extender = `muster_request_duration_seconds_bucket{verb="filter",le="0.002"} 4
muster_request_duration_seconds_bucket{verb="filter",le="+Inf"} 4
muster_request_duration_seconds_count{verb="filter"} 4`
  const figures = figuresOf({
    load: { size: 2, pods: 4 },
    startedAt: 1_000,
    arrivals: new Map([
      ['gang-0-0', 1_100],
      ['gang-0-1', 1_500],
      ['gang-1-0', 3_000],
      ['gang-1-1', 1_200]
    ]),
    scheduler: new Exposition(scheduler),
    extender: new Exposition(extender),
    api: { before: new Exposition(before), after: new Exposition(after) },
    usage: { muster: { before: { cpu: 1, rss: 50 }, after: { cpu: 1.5, rss: 60 } } }
  })
  t.same(figures, {
    seconds: 2,
    podsPerSecond: 2,
    gangSeconds: { p50: 0.5, p99: 2 },
    loopMs: 5,
    attemptsPerPod: 1.5,
    writesPerPod: { bindings: 1, status: 1.5, other: 0.5, events: 1 },
    filterMs: { p50: 1, p99: 1.98 },
    cpu: { muster: 0.5 },
    rss: { muster: 60 }
  })
})

const figures = (podsPerSecond: number, more: Partial<Figures> = {}): Figures => ({
  ...{ seconds: 1, podsPerSecond, gangSeconds: { p50: 0.5, p99: 0.9 }, loopMs: 2, attemptsPerPod: 1 },
  writesPerPod: { bindings: 1, status: 0, other: 0, events: 1 },
  cpu: { etcd: 0.1, 'kube-apiserver': 0.5, 'kube-scheduler': 0.2 },
  rss: { etcd: 40, 'kube-apiserver': 300, 'kube-scheduler': 80 },
  ...more
})

const cell = (nodes: number, contestant: string, rounds: readonly Figures[]): Cell => {
  const title = contestant === 'native' ? 'native gangs' : 'muster, gated'
  return { nodes, load: { size: 10, pods: 100 }, contestant, title, rounds }
}

const muster: Partial<Figures> = {
  ...{ loopMs: 1, filterMs: { p50: 1, p99: 4 }, bindMs: { p50: 30, p99: 90 } },
  cpu: { etcd: 0.1, 'kube-apiserver': 0.9, 'kube-scheduler': 0.1, muster: 0.5 },
  rss: { etcd: 40, 'kube-apiserver': 300, 'kube-scheduler': 70, muster: 120 }
}

const cells = [
  cell(100, 'native', [figures(100), figures(200)]),
  cell(100, 'gated', [figures(150, muster), figures(400, muster)]),
  cell(1_000, 'native', [figures(50)])
]

const conditions: Conditions = {
  ...{ date: '2026-11-30', command: 'npm run bench -- scheduler', commit: 'abc1234', machine: '2 cores' },
  versions: { Kubernetes: '1.36.3' },
  load: [1, 2.25]
}

t.test('the report names its conditions and compares round by round', async t => {
  const text = markdownOf({ conditions, cells }, 'gangs')
  t.match(text, /^# gangs\n\n`npm run bench -- scheduler` at abc1234 on 2026-11-30; 2 cores; Kubernetes 1\.36\.3\./)
  t.match(text, /Load averages before and after: 1\.0, 2\.3\./)
  t.match(text, /## 100 nodes, 10 gangs of 10\n/)
  t.match(
    text,
    /\| muster, gated \| 275 \(150 to 400\) \| 1\.75 \(1\.50 to 2\.00\) \| 0\.5 · 0\.9 \| 1\.00 \| 0\.50 \| 1\.00 \|/
  )
  t.match(text, /\| muster, gated \| 16\.0 \| 9\.0 · 1\.0 · 1\.0 · 5\.0 \| 2\.00 \| 1\.00: 1\.00 \+ 0\.00 \+ 0\.00 \|/)
  t.match(text, /\| 1\.0 · 4\.0 \| 30 · 90 \| 70 · 120 \|/)
  t.notMatch(text, /× stock/, 'who did not run is no measure')
  const [, ofThousand = ''] = text.split('## 1,000 nodes')
  t.notMatch(ofThousand, /filter ms/, 'a column that nobody fills is left out')
})

t.test('the chart has a bar for whoever ran, with its reach, and no more', async t => {
  const [[size, chart] = []] = chartsOf(blocksOf({ cells }).toReversed())
  t.equal(size, 10)
  t.same(chart?.groups, ['100 nodes', '1,000 nodes'])
  t.same(chart?.series, [
    { title: 'native gangs', bars: [spread([100, 200]), spread([50])] },
    { title: 'muster, gated', bars: [spread([150, 400]), undefined] }
  ])
  const svg = svgOf({ ...chart!, title: 'a < b & c' })
  t.match(svg, /<title>a &lt; b &amp; c<\/title>/)
  t.equal([...svg.matchAll(/stroke="black"\/><text/g)].length, 3 + 1, 'three bars and the axis')
  t.match(svg, />275<\/text>/)
  t.match(svg, />400<\/text>/, 'the axis ends at a round number above everything')
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="#/g)].map(([, height]) => Number(height))
  t.equal(Math.round((heights.at(-1)! / 238) * 400), 275, 'as high as its figure')
})

t.test('what is to be measured is read from the arguments, and nonsense is named', async t => {
  const asked = settingsOf([
    '--nodes',
    '100,1000',
    '--gangs',
    '1,512',
    '--rounds',
    '5',
    '--contestants',
    'native,gated'
  ])
  t.match(asked, { nodes: [100, 1_000], sizes: [1, 512], rounds: 5, contestants: ['native', 'gated'], keep: undefined })
  t.throws(() => settingsOf(['--nodes', '0']), /--nodes: "0" must be an integer from 1 to 100,000/)
  t.throws(() => settingsOf(['--gangs', '3,x']), /--gangs: "x" must be/)
  t.throws(() => settingsOf(['--contestants', 'volcano']), /there is no "volcano"; known are stock, /)
  t.throws(() => settingsOf(['--keep', '../x']), /--keep: "\.\.\/x" must be a name/)
  t.throws(() => settingsOf(['--pods']), /argument missing/)
})

t.test('the API server of the state bench pages what it has and holds watches open', async t => {
  const server = await new Collections(3, 5).listen()
  t.teardown(() => server.close())
  const get = async (path: string) => (await (await fetch(server.url + path)).json()) as Json
  t.equal(server.firstRequest, undefined)
  const first = await get('/api/v1/pods?limit=4')
  t.equal(first.items.length, 4)
  const last = await get(`/api/v1/pods?limit=4&continue=${first.metadata.continue}`)
  t.equal(last.items.length, 1)
  t.equal(last.metadata.continue, undefined)
  t.equal((await get('/api/v1/nodes')).items.length, 3)
  t.same((await get('/apis/apps/v1/replicasets?limit=500')).items, [], 'nothing of all else')
  t.type(server.firstRequest, 'number')
  const watch = await fetch(`${server.url}/api/v1/pods?watch=true`)
  t.equal(watch.status, 200)
  await watch.body?.cancel()
})

type Json = { readonly items: readonly object[]; readonly metadata: { readonly continue?: string } }

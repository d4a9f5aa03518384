import t from 'tap'
import type { Log } from '../../extender/gangs/ports.ts'
import { WriteQueue } from '../../extender/gangs/effects/write-queue.ts'
import { customScheduler, muster } from '../../policies/index.ts'
import { nodes, pod, pods, type PodBuilder } from '../builders.ts'
import { harness } from './harness.ts'

const one = nodes(1, 'n', each => each.cpu(1))
const runs = (name: string, on: string): PodBuilder =>
  pod(name).priority(1).cpu(1000).on(on).with({ startedAt: 1_000_000_000 })
const urgent = (name: string, size: number): PodBuilder[] =>
  pods(size, name, each => each.gang(name, size).priority(10).cpu(1000).gated())

t.test(
  'S2.21 S2.22 an eviction that fails is asked for ever more rarely: eleven times in the first minute',
  async t => {
    const h = harness({ nodes: one, pods: [runs('v', 'n-0'), ...urgent('g', 1)], holdTtlMs: 600_000 })
    const asked: number[] = []
    h.api.fault = write => {
      if (write.verb !== 'evict') return 'none'
      asked.push(h.clock.now())
      return 'refused'
    }
    await h.run(60_000)
    const waits = asked.slice(1).map((time, index) => Math.round((time - (asked[index] ?? 0)) / 250) * 250)
    t.strictSame(waits, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000])
    h.api.fault = () => 'none'
    await h.run(15_000)
    t.strictSame(h.bound, ['g-0@n-0'], 'and it is not given up')
  }
)

t.test('S2.23 S2.25 ten thousands of writes wait in a queue: so many at once, and in order', async t => {
  const queue = new WriteQueue(32, error => t.fail(String(error)))
  const order: number[] = []
  let [underWay, most] = [0, 0]
  const { promise, resolve } = Promise.withResolvers<void>()
  const count = 20_000
  for (let index = 0; index < count; index++)
    queue.push(async () => {
      order.push(index)
      most = Math.max(most, ++underWay)
      await Promise.resolve()
      underWay--
      if (order.length === count && underWay === 0) resolve()
    })
  t.equal(order.length, 32, 'whoever pushes does not wait')
  await promise
  t.equal(most, 32)
  t.ok(order.every((value, index) => value === index))
})

t.test('what a write throws is told, and the queue goes on', async t => {
  const told: unknown[] = []
  const queue = new WriteQueue(1, error => told.push(error))
  const { promise, resolve } = Promise.withResolvers<void>()
  const no = new Error('no')
  queue.push(async () => {
    throw no
  })
  queue.push(async () => resolve())
  await promise
  t.strictSame(told, [no])
})

t.test('S2.10 S2.23 an API server that takes a minute for each write stops neither look-ups nor plans', async t => {
  const h = harness({ nodes: nodes(4, 'n', each => each.cpu(1)), pods: urgent('slow', 2), concurrency: 1 })
  h.api.latency = () => 60_000
  await h.run(100)
  t.equal(h.held.length, 2)
  t.strictSame(h.nominated, [], 'nothing has been written yet')
  h.add(...urgent('next', 2))
  await h.run(100)
  t.equal(h.held.length, 4, 'the next gang is planned meanwhile')
  t.equal(h.gangs.placement(h.pod('next-0')).kind, 'planned')
  t.equal(h.api.writes.length, 1, 'one write at once, as told')
})

t.test('S2.25 many are bound and evicted at once', async t => {
  const size = 64
  const victims = Array.from({ length: size }, (_, index) => runs(`v-${index}`, `n-${index}`))
  const h = harness({
    nodes: nodes(size, 'n', each => each.cpu(1)),
    pods: [...victims, ...urgent('g', size)],
    concurrency: 16
  })
  const underWay = { evict: 0, bind: 0 }
  const most = { evict: 0, bind: 0 }
  h.api.fault = ({ verb }) => {
    if (verb !== 'evict' && verb !== 'bind') return 'none'
    most[verb] = Math.max(most[verb], ++underWay[verb])
    h.clock.after(h.api.latency(), () => underWay[verb]--)
    return 'none'
  }
  await h.run(20_000)
  t.equal(h.bound.length, size)
  t.equal(most.evict, 16, 'as many as may be')
  t.ok(most.bind > 16, `${most.bind} bindings, which kube-scheduler sends at once`)
})

t.test('S2.5 the loop looks at everything again at each interval, whatever it was told', async t => {
  let isOpen = false
  const door = {
    name: 'door',
    filter: () =>
      isOpen ? ({ code: 'Success' } as const) : ({ code: 'UnschedulableAndUnresolvable', reason: 'shut' } as const)
  }
  const profile = { ...muster, filters: [...muster.filters, door] }
  const h = harness({ nodes: one, pods: urgent('g', 1), profiles: new Map([['muster', profile]]) })
  await h.run(10_000)
  t.strictSame(h.held, [])
  isOpen = true
  await h.run(5_000)
  t.strictSame(h.held, [], 'nobody has said so')
  await h.run(20_000)
  t.strictSame(h.bound, ['g-0@n-0'], 'found at the next interval of 30 s')
})

const mine = (name: string, priority: string): PodBuilder =>
  pod(name).scheduler('custom-scheduler').annotation('priority', priority)

t.test('S3.49 S3.76 the log tells what was planned, who was evicted for whom, and who stands where', async t => {
  const lines: { readonly fields: object; readonly message: string }[] = []
  const tell: Log['info'] = (fields, message) => lines.push({ fields, message })
  const alone = customScheduler(new Set(['custom-scheduler']))
  const h = harness({
    nodes: one,
    pods: [mine('low', '10').on('n-0').with({ startedAt: 1_000_000_000 }), mine('high', '100')],
    profiles: new Map([['custom-scheduler', alone]]),
    log: { info: tell, warn: tell, error: tell }
  })
  await h.run(5_000)
  t.strictSame(h.bound, ['high@n-0'])
  const said = (message: string) => lines.filter(line => line.message === message).map(({ fields }) => fields)
  t.match(said('planned a gang'), [{ gang: /high/, members: 1, nodes: 1 }])
  t.match(said('evicted a pod for a gang'), [{ pod: 'ns/low', node: 'n-0', gang: /high/ }])
  t.match(said('bound a member'), [{ pod: 'ns/high', node: 'n-0' }])
})

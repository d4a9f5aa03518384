import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ManualClock } from '../kubernetes/manual-clock.ts'
import { configMap, configMaps, pod, pods, rig, type Loose } from './http-rig.ts'
import { untilTrue } from './until.ts'

const told = (events: Loose[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata?.name ?? object.code}`)

t.test('a watch tells what changes after a version, and without one what is there first', async t => {
  const { ask, get, watch } = await rig(t)
  await ask('POST', configMaps, configMap('a'))
  const { resourceVersion } = (await get(configMaps)).body.metadata
  await ask('POST', configMaps, configMap('b'))
  const [from, all, zero] = [
    await watch(`${configMaps}?watch=true&resourceVersion=${resourceVersion}`),
    await watch(`${configMaps}?watch=1`),
    await watch(`${configMaps}?watch=1&resourceVersion=0`)
  ]
  await ask('PATCH', `${configMaps}/a`, { data: { x: 'y' } }, { type: 'application/merge-patch+json' })
  await ask('DELETE', `${configMaps}/b`)
  await ask('POST', '/api/v1/namespaces/kube-system/configmaps', configMap('elsewhere'))
  for (const [watched, first] of [
    [from, ['ADDED b']],
    [all, ['ADDED a', 'ADDED b']],
    [zero, ['ADDED a', 'ADDED b']]
  ] as const) {
    await watched.until('the deletion', events => told(events).includes('DELETED b'))
    t.strictSame(told(watched.events), [...first, 'MODIFIED a', 'DELETED b'])
  }
  const versions = from.events.map(event => Number(event.object.metadata.resourceVersion))
  t.ok(
    versions.every((version, index) => index === 0 || version > (versions[index - 1] ?? 0)),
    'in order'
  )
})

t.test('selectors: what leaves the selection is deleted for its watchers', async t => {
  const { ask, watch } = await rig(t)
  const labelled = await watch(`${pods}?watch=1&labelSelector=app%3Da`)
  const bound = await watch('/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1')
  const named = await watch(`${pods}/a?watch=1`)
  await ask('POST', pods, pod('a'))
  await ask('POST', pods, pod('b', { nodeName: 'n1' }))
  await ask('PATCH', `${pods}/a`, { metadata: { labels: { app: 'z' } } }, { type: 'application/merge-patch+json' })
  await labelled.until('it leaves', events => events.length === 2)
  await bound.until('one is bound', events => events.length === 1)
  await named.until('both changes', events => events.length === 2)
  t.strictSame(told(labelled.events), ['ADDED a', 'DELETED a'])
  t.strictSame(told(bound.events), ['ADDED b'])
  t.strictSame(told(named.events), ['ADDED a', 'MODIFIED a'])
})

t.test('bookmarks and the end come by the clock', async t => {
  const clock = new ManualClock()
  const { ask, watch, cluster } = await rig(t, { clock, watches: { bookmarkMs: 60_000 } })
  const quiet = await watch(`${configMaps}?watch=1&allowWatchBookmarks=true&timeoutSeconds=100&resourceVersion=0`)
  const plain = await watch(`${configMaps}?watch=1&timeoutSeconds=30&resourceVersion=0`)
  await ask('POST', pods, pod('p'))
  clock.advance(60_000)
  await quiet.until('a bookmark', events => events.length === 1)
  t.match(quiet.events, [
    {
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: cluster.client.resourceVersion } }
    }
  ])
  await untilTrue('the end', () => plain.ended())
  t.strictSame(plain.events, [], 'who does not ask gets no bookmarks')
  t.notOk(quiet.ended())
  clock.advance(40_000)
  await untilTrue('the end', () => quiet.ended())
})

t.test('the initial events in the watch, as new clients ask for them', async t => {
  const { ask, get, watch } = await rig(t)
  await ask('POST', configMaps, configMap('a'))
  const query = 'watch=1&sendInitialEvents=true&allowWatchBookmarks=true'
  const watched = await watch(`${configMaps}?${query}&resourceVersionMatch=NotOlderThan&resourceVersion=1`)
  await watched.until('the bookmark', events => events.length === 2)
  t.match(watched.events, [
    { type: 'ADDED', object: { metadata: { name: 'a' } } },
    { type: 'BOOKMARK', object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } }
  ])
  await ask('POST', configMaps, configMap('b'))
  await watched.until('what comes after', events => events.length === 3)
  t.match(await get(`${configMaps}?${query}`), { status: 422, body: { reason: 'Invalid' } })
})

t.test('a version that is too old, or not there yet, is told as an event that makes clients list', async t => {
  const { ask, watch, get } = await rig(t, { history: 5 })
  await ask('POST', configMaps, configMap('a'))
  const { resourceVersion } = (await get(configMaps)).body.metadata
  for (let index = 0; index < 10; index++)
    await ask('PATCH', `${configMaps}/a`, { data: { index: `${index}` } }, { type: 'application/merge-patch+json' })
  for (const version of [resourceVersion, '999999']) {
    const watched = await watch(`${configMaps}?watch=1&resourceVersion=${version}`)
    await watched.until('the error', events => events.length === 1)
    t.match(watched.events, [
      { type: 'ERROR', object: { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired' } }
    ])
    await untilTrue('the end', () => watched.ended())
  }
  t.match(await get(`${configMaps}?watch=1&labelSelector=a%20b`), { status: 400 }, 'a wrong selector is no event')
})

t.test('a watcher that does not read is cut, and nobody else notices', async t => {
  const { ask, watch, cluster } = await rig(t, { watches: { backlog: 50, patienceMs: 200 } })
  const good = await watch(`${configMaps}?watch=1`)
  const { port } = new URL(cluster.url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.pause()
  socket.write(`GET ${configMaps}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(socket, 'connect')
  await sleep(50)
  await ask('POST', configMaps, configMap('a'))
  const cut = once(socket, 'close')
  const text = 'x'.repeat(200_000)
  for (let index = 0; index < 150; index++) {
    cluster.client.patch({ resource: 'configmaps', name: 'a' }, { data: { text: `${index}${text}` } })
    if (index % 10 === 0) await sleep(30)
  }
  await good.until('everything', events => events.length === 151)
  socket.resume()
  await cut
  t.equal(good.events.length, 151)
})

t.test('one event reaches 100 watchers in less than 20 ms', async t => {
  const { ask, watch, cluster } = await rig(t)
  const watches = await Promise.all(Array.from({ length: 100 }, () => watch(`${pods}?watch=1`)))
  const samples: number[] = []
  for (let index = 0; index < 20; index++) {
    const start = performance.now()
    cluster.client.create('pods', pod(`p${index}`))
    while (watches.some(({ events }) => events.length <= index)) await new Promise(resolve => setImmediate(resolve))
    samples.push(performance.now() - start)
  }
  const median = samples.toSorted((a, b) => a - b)[10]!
  t.comment(`median ${median.toFixed(1)} ms, both ends in one process`)
  t.ok(median < 20 * 5, `${median} ms; the limit here is wide, since other tests run beside`)
  for (const each of watches) each.close()
  await ask('DELETE', pods)
})

t.test('stopping the cluster ends its watches', async t => {
  const { watch, cluster } = await rig(t)
  const watched = await watch(`${pods}?watch=1`)
  const start = performance.now()
  await cluster.stop()
  await untilTrue('the end', () => watched.ended())
  t.ok(performance.now() - start < 2000)
})

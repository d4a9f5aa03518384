import t, { type Test } from 'tap'
import { Complaints } from '../../extender/kubernetes/complaints.ts'
import { type Json, object, text } from '../../extender/json.ts'
import { Reflector, type ReflectorOptions } from '../../extender/kubernetes/reflector.ts'
import { fakeApiServer, type FakeApiServer, type Received, type Reply, type Script } from './fake-api-server.ts'
import { type Parts, parts } from './parts.ts'

type Item = { readonly name: string; readonly uid: string; readonly version: string }

function pod(name: string, version: string | number, uid = `uid-${name}`): Json {
  return { metadata: { name, namespace: 'ns', uid, resourceVersion: String(version) } }
}

function project(json: Json): Item {
  const metadata = object(json.metadata)
  const name = text(metadata.name)
  if (name === undefined || name === 'bad') throw new TypeError('no such thing')
  return { name, uid: text(metadata.uid) ?? '', version: text(metadata.resourceVersion) ?? '' }
}

const isWatch = (received: Received): boolean => received.query.get('watch') === 'true'

type Rig = Parts & {
  readonly server: FakeApiServer
  readonly reflector: Reflector<Item>
  /** What the handler was told, as text. */
  readonly told: string[]
  readonly lists: () => Received[]
  readonly watches: () => Received[]
}

async function rig(t: Test, script: Script, options: Partial<ReflectorOptions<Item>> = {}): Promise<Rig> {
  const server = await fakeApiServer(t, script)
  const given = parts(t, server.url)
  const told: string[] = []
  const reflector = new Reflector<Item>({
    ...given,
    ...{ resource: 'pods', path: '/api/v1/pods', project },
    handler: {
      replace: items => void told.push(`replace ${items.map(item => `${item.name}/${item.uid}`).join(' ')}`.trim()),
      apply: (type, item) => void told.push(`${type} ${item.name}/${item.uid}`)
    },
    ...options
  })
  t.teardown(() => reflector.stop())
  return {
    ...given,
    ...{ server, reflector, told },
    lists: () => server.requests.filter(request => !isWatch(request)),
    watches: () => server.requests.filter(isWatch)
  }
}

/** Answers lists with `list` and watches with one script after the other; the last one stays. */
function scripted(list: (reply: Reply, received: Received) => void, ...watches: ((reply: Reply) => void)[]): Script {
  let turn = 0
  return (received, reply) => {
    if (!isWatch(received)) return list(reply, received)
    const watch = watches[Math.min(turn, watches.length - 1)]
    turn += 1
    watch?.(reply)
  }
}
const quiet = (reply: Reply): void => void reply.watch()
const oneList = (reply: Reply): void => reply.list('10', [pod('a', 5)])

t.test('S3.7 S3.12 lists in pages, then watches from there', async t => {
  const { reflector, clock, told, lists, watches, metric } = await rig(
    t,
    scripted(
      (reply, received) => {
        if (received.query.get('continue') === 'more') reply.list('10', [pod('b', 6)])
        else reply.list('10', [pod('a', 5)], 'more')
      },
      reply => void reply.watch().event('ADDED', pod('c', 11))
    ),
    { pageSize: 1, query: { fieldSelector: 'x=y' }, watchSeconds: [100, 200] }
  )
  t.equal(await metric('muster_cache_synced{resource="pods"}'), 0)
  reflector.start()
  await reflector.whenSynced()
  await clock.settled(() => told.length === 2)
  t.strictSame(told, ['replace a/uid-a b/uid-b', 'ADDED c/uid-c'])
  t.equal(reflector.size, 3)
  t.strictSame(
    lists().map(request => request.query.toString()),
    ['fieldSelector=x%3Dy&limit=1', 'fieldSelector=x%3Dy&limit=1&continue=more']
  )
  t.equal(
    watches()[0]!.query.toString(),
    'fieldSelector=x%3Dy&watch=true&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=150'
  )
  t.equal(await metric('muster_cache_synced{resource="pods"}'), 1)
  t.equal(await metric('muster_apiserver_requests_total{verb="list",resource="pods",code="200"}'), 2)
  t.equal(await metric('muster_apiserver_requests_total{verb="watch",resource="pods",code="200"}'), 1)
})

t.test('an empty list of Go is null, and is a list', async t => {
  const { reflector, told } = await rig(
    t,
    scripted(reply => reply.list('1', null), quiet)
  )
  reflector.start()
  await reflector.whenSynced()
  t.strictSame(told, ['replace'])
})

t.test('what is no list is not taken for an empty cluster', async t => {
  let turn = 0
  const { reflector, clock, told, lists } = await rig(
    t,
    scripted(reply => {
      turn += 1
      if (turn === 1) reply.json(200, { hello: 'proxy' })
      else if (turn === 2) reply.response.writeHead(200).end('<html>')
      else oneList(reply)
    }, quiet)
  )
  reflector.start()
  await clock.until(() => reflector.synced)
  t.strictSame(told, ['replace a/uid-a'])
  t.equal(lists().length, 3)
})

t.test('events and bookmarks advance the version; torn lines and characters are put together', async t => {
  const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: pod('grün', 11) })}\n`)
  const { reflector, clock, told, watches } = await rig(
    t,
    scripted(
      oneList,
      reply => {
        reply.watch()
        const pieces = [line.subarray(0, 20), ...Array.from(line.subarray(20), byte => Buffer.from([byte]))]
        for (const piece of pieces) reply.raw(piece)
        reply.raw('\n\n')
        reply.raw(`${JSON.stringify({ type: 'MODIFIED', object: pod('a', 12) })}\n{"type":"BOOK`)
        reply.raw('MARK","object":{"kind":"Pod","metadata":{"resourceVersion":"99"}}}\n')
        reply.event('DELETED', pod('a', 100)).end()
      },
      quiet
    )
  )
  reflector.start()
  await clock.until(() => watches().length === 2)
  t.strictSame(told, ['replace a/uid-a', 'ADDED grün/uid-grün', 'MODIFIED a/uid-a', 'DELETED a/uid-a'])
  t.equal(watches()[1]!.query.get('resourceVersion'), '100')
  t.equal(reflector.size, 1)
})

t.test('a line cut by the end of the connection is not an event, and is asked for again', async t => {
  const { reflector, clock, told, watches } = await rig(
    t,
    scripted(
      oneList,
      reply => reply.watch().event('ADDED', pod('b', 11)).raw('{"type":"ADDED","obj').end(),
      reply => reply.watch().event('ADDED', pod('c', 12))
    )
  )
  reflector.start()
  await clock.until(() => told.length === 3)
  t.strictSame(told.slice(1), ['ADDED b/uid-b', 'ADDED c/uid-c'])
  t.equal(watches()[1]!.query.get('resourceVersion'), '11')
})

const expiries: Record<string, (reply: Reply) => void> = {
  'as a status': reply => reply.status(410),
  'as an event': reply => {
    reply.watch().event('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' })
  }
}
for (const [name, expire] of Object.entries(expiries)) {
  t.test(`410 ${name} lists again`, async t => {
    let version = 10
    const { reflector, clock, told, lists, watches, log } = await rig(
      t,
      scripted(
        reply => {
          reply.list(String(version), [pod('a', version)])
          version += 10
        },
        expire,
        quiet
      )
    )
    reflector.start()
    await clock.until(() => watches().length === 2)
    t.strictSame(told, ['replace a/uid-a', 'replace a/uid-a'])
    t.equal(lists().length, 2)
    t.equal(watches()[1]!.query.get('resourceVersion'), '20')
    t.strictSame(log.lines, [], 'nothing to complain about')
  })
}

t.test('what a second list shows unchanged is the same object', async t => {
  const lists: (readonly Item[])[] = []
  let version = 10
  const { reflector, clock } = await rig(
    t,
    scripted(
      reply => {
        reply.list(String(version), [pod('a', 5), pod('b', version), pod('c', 5, `uid-${version}`)])
        version += 10
      },
      expiries['as a status']!,
      quiet
    ),
    { handler: { replace: items => void lists.push(items), apply() {} } }
  )
  reflector.start()
  await clock.until(() => lists.length === 2)
  const [first, second] = lists
  t.strictSame(
    first!.map((item, index) => item === second![index]),
    [true, false, false]
  )
})

t.test(
  'what has come of the first list is told at once, also of one that breaks off, and of a later list nothing',
  async t => {
    const told: string[] = []
    let [turn, version] = [0, 10]
    const { reflector, clock } = await rig(
      t,
      scripted(
        (reply, received) => {
          turn += 1
          if (received.query.has('continue') && turn === 2) return reply.status(500)
          if (received.query.has('continue')) return reply.list(String(version), [pod('c', version)])
          version += 10
          reply.list(String(version), [pod('a', 5), pod(turn === 1 ? 'gone' : 'b', 5)], 'more')
        },
        expiries['as a status']!,
        quiet
      ),
      {
        handler: {
          foretell: items => void told.push(`foretell ${items.map(item => item.name).join(' ')}`),
          replace: items => void told.push(`replace ${items.map(item => item.name).join(' ')}`),
          apply() {}
        }
      }
    )
    reflector.start()
    await clock.until(() => told.filter(each => each.startsWith('replace')).length === 2)
    t.strictSame(told, ['foretell a gone', 'foretell a b', 'foretell c', 'replace a b c', 'replace a b c'])
  }
)

t.test('a server that always answers 410 is not hammered', async t => {
  const { reflector, clock, lists } = await rig(t, scripted(oneList, expiries['as a status']!))
  reflector.start()
  const passed = await clock.until(() => clock.now() > 120_000)
  t.ok(passed > 100_000)
  t.ok(lists().length <= 12, `${lists().length} lists in two minutes`)
  t.ok(lists().length >= 6, `${lists().length} lists in two minutes`)
})

t.test('a token that expires in mid-list begins the list again', async t => {
  let expired = false
  const { reflector, clock, told, lists } = await rig(
    t,
    scripted((reply, received) => {
      if (!received.query.has('continue')) return reply.list('10', [pod('a', 5)], 'more')
      if (expired) return reply.list('10', [pod('b', 6)])
      expired = true
      reply.status(410)
    }, quiet),
    { pageSize: 1 }
  )
  reflector.start()
  await clock.until(() => reflector.synced)
  t.strictSame(told, ['replace a/uid-a b/uid-b'])
  t.strictSame(
    lists().map(request => request.query.get('continue')),
    [null, 'more', null, 'more']
  )
})

t.test('the next page is asked for while this one is on its way, and given up with it', async t => {
  const [head, tail] = ['{"metadata":{"resourceVersion":"10","continue":"more"},"items":[', ']}']
  const firsts: Reply[] = []
  let given = 0
  const { reflector, clock, told, lists } = await rig(
    t,
    scripted((reply, received) => {
      if (!received.query.has('continue')) {
        firsts.push(reply)
        reply.raw(head)
      } else if (firsts.length > 1) reply.list('10', [pod('b', 6)])
      else reply.response.on('close', () => void (given += 1))
    }, quiet)
  )
  reflector.start()
  await clock.settled(() => lists().length === 2)
  firsts[0]!.reset()
  await clock.settled(() => given === 1)
  await clock.until(() => lists().length === 4)
  t.strictSame(told, [], 'nothing is complete yet')
  firsts[1]!.raw(JSON.stringify(pod('a', 5)) + tail).end()
  await reflector.whenSynced()
  t.strictSame(told, ['replace a/uid-a b/uid-b'])
  t.strictSame(
    lists().map(request => request.query.get('continue')),
    [null, 'more', null, 'more']
  )
})

t.test('429 waits as long as the server asks, but not for ever', async t => {
  let turn = 0
  const { reflector, clock, lists } = await rig(
    t,
    scripted(reply => {
      turn += 1
      if (turn === 1) reply.status(429, { 'retry-after': '7' })
      else if (turn === 2) reply.status(503, { 'retry-after': '86400' })
      else oneList(reply)
    }, quiet)
  )
  reflector.start()
  await clock.settled(() => lists().length === 1)
  t.ok((await clock.until(() => lists().length === 2)) >= 7_000)
  const second = await clock.until(() => reflector.synced)
  t.ok(second >= 30_000 && second < 45_000, `${second} ms`)
})

t.test('refused and reset watches go on from the last version', async t => {
  let open: Reply | undefined
  const { reflector, clock, told, lists, watches } = await rig(
    t,
    scripted(
      oneList,
      reply => reply.status(429, { 'retry-after': '1' }),
      reply => reply.status(500),
      reply => {
        open = reply.watch().event('ADDED', pod('b', 11))
      },
      reply => reply.reset(),
      reply => {
        reply.watch().event('ERROR', { kind: 'Status', code: 500, details: { retryAfterSeconds: 3 } })
      },
      reply => {
        reply.watch().event('ADDED', pod('c', 12))
      }
    )
  )
  reflector.start()
  await clock.until(() => told.includes('ADDED b/uid-b'))
  open!.reset()
  await clock.until(() => told.includes('ADDED c/uid-c'))
  t.equal(lists().length, 1)
  t.strictSame(
    watches().map(request => request.query.get('resourceVersion')),
    ['10', '10', '10', '11', '11', '11']
  )
})

const nonsense: Record<string, (reply: Reply) => void> = {
  'a line that is no JSON': reply => reply.watch().raw('{"type":"ADD\n'),
  'an event without a version': reply => reply.watch().event('ADDED', { metadata: { name: 'x' } }),
  'an unknown kind of event': reply => reply.watch().event('RENAMED', pod('a', 11)),
  'an event that is null': reply => reply.watch().raw('null\n'),
  'a line without an end': reply => {
    reply.watch()
    for (let i = 0; i < 20; i += 1) reply.raw(Buffer.alloc(1024 * 1024, 0x20))
  },
  'a refusal that only a list can explain': reply => reply.status(400)
}
for (const [name, watch] of Object.entries(nonsense)) {
  t.test(`${name} makes it list again, later`, async t => {
    const { reflector, clock, lists, log } = await rig(t, scripted(oneList, watch, quiet))
    reflector.start()
    await clock.until(() => lists().length === 2)
    t.match(log.lines[0], /^warn cannot read pods from http:.*; retrying$/)
  })
}

t.test('watches that end at once are no success and are not hammered', async t => {
  const { reflector, clock, watches } = await rig(
    t,
    scripted(oneList, reply => reply.watch().end())
  )
  reflector.start()
  await clock.until(() => clock.now() > 60_000)
  t.ok(watches().length < 14, `${watches().length} watches in a minute`)
})

t.test('a frozen watch is noticed, also where not even headers come', async t => {
  const { reflector, clock, told, watches, log, metric } = await rig(
    t,
    scripted(
      oneList,
      quiet,
      () => {},
      reply => reply.watch().event('ADDED', pod('b', 11))
    ),
    { idleMs: 90_000 }
  )
  reflector.start()
  await reflector.whenSynced()
  await clock.settled(() => watches().length === 1)
  const passed = await clock.until(() => watches().length === 2, 1_000)
  t.ok(passed >= 90_000, `${passed} ms`)
  t.ok((await metric('muster_cache_staleness_seconds{resource="pods"}'))! >= 90)
  await clock.until(() => told.includes('ADDED b/uid-b'), 1_000)
  t.ok(reflector.staleness() < 5_000)
  t.match(log.lines.join('\n'), /nothing came for 90000 ms/)
})

t.test('bytes keep the watchdog quiet', async t => {
  let open: Reply | undefined
  const { reflector, clock, watches, told } = await rig(
    t,
    scripted(oneList, reply => {
      open = reply.watch()
    })
  )
  reflector.start()
  await clock.settled(() => open !== undefined)
  for (let round = 1; round <= 4; round += 1) {
    clock.advance(60_000)
    open!.event('ADDED', pod(`p${round}`, 10 + round))
    await clock.settled(() => told.length === round + 1)
  }
  t.equal(watches().length, 1)
})

t.test('a bad object is left out and logged once', async t => {
  const { reflector, clock, told, log } = await rig(
    t,
    scripted(
      reply => reply.list('10', [null, 7, [], pod('bad', 3), { metadata: 'x' }, pod('a', 5)]),
      reply => {
        reply.watch().event('MODIFIED', pod('bad', 11)).event('MODIFIED', pod('bad', 12)).event('ADDED', pod('b', 13))
      }
    )
  )
  reflector.start()
  await clock.settled(() => told.length === 2)
  t.strictSame(told, ['replace a/uid-a', 'ADDED b/uid-b'])
  t.equal(log.lines.length, 2, 'one for those without a name, one for "bad"')
})

t.test('an object that goes bad is gone', async t => {
  let open: Reply | undefined
  const failing = new Set<string>()
  const { reflector, clock, told } = await rig(
    t,
    scripted(oneList, reply => {
      open = reply.watch()
    }),
    {
      project: json => {
        const item = project(json)
        if (failing.has(item.version)) throw new Error('bad quantity')
        return item
      }
    }
  )
  reflector.start()
  await clock.settled(() => open !== undefined)
  failing.add('11')
  open!.event('MODIFIED', pod('a', 11)).event('MODIFIED', pod('a', 12))
  await clock.settled(() => told.length === 3)
  t.strictSame(told, ['replace a/uid-a', 'DELETED a/uid-a', 'ADDED a/uid-a'])
})

t.test('a namesake with another uid is another object', async t => {
  const { reflector, clock, told } = await rig(
    t,
    scripted(oneList, reply => {
      reply
        .watch()
        .event('MODIFIED', pod('a', 11, 'second'))
        .event('DELETED', pod('a', 12))
        .event('DELETED', pod('a', 13, 'second'))
        .event('DELETED', pod('a', 13, 'second'))
        .event('MODIFIED', pod('a', 14, 'third'))
    })
  )
  reflector.start()
  await clock.settled(() => told.length === 5)
  t.strictSame(told.slice(1), ['DELETED a/uid-a', 'ADDED a/second', 'DELETED a/second', 'ADDED a/third'])
})

t.test('a list older than what was seen is not accepted', async t => {
  const versions = ['100', '99', '99', '101']
  let turn = 0
  const { reflector, clock, told, log, lists } = await rig(
    t,
    scripted(
      reply => {
        reply.list(versions[Math.min(turn, 3)]!, [pod(`seen-at-${versions[Math.min(turn, 3)]}`, 1)])
        turn += 1
      },
      reply => {
        reply
          .watch()
          .event('BOOKMARK', { metadata: { resourceVersion: '100' } })
          .event('ERROR', { code: 410 })
      },
      quiet
    )
  )
  reflector.start()
  await clock.until(() => told.length === 2)
  t.strictSame(told, ['replace seen-at-100/uid-seen-at-100', 'replace seen-at-101/uid-seen-at-101'])
  t.equal(lists().length, 4)
  t.match(log.lines[0], /version 99, older than 100/)
})

t.test('a handler that throws changes nothing, and whoever must know is told', async t => {
  const told: string[] = []
  const failures: unknown[] = []
  const { reflector, clock, log } = await rig(
    t,
    scripted(oneList, reply => {
      reply.watch().event('ADDED', pod('b', 11)).event('ADDED', pod('c', 12))
    }),
    {
      handler: {
        replace() {
          told.push('replace')
          throw new Error('no')
        },
        apply(type, item) {
          told.push(`${type} ${item.name}`)
          throw new Error('no')
        }
      },
      handlerFailed: error => failures.push(error)
    }
  )
  reflector.start()
  await clock.settled(() => told.length === 3)
  t.strictSame(told, ['replace', 'ADDED b', 'ADDED c'])
  t.equal(log.lines.filter(line => line.startsWith('error')).length, 3)
  t.equal(failures.length, 3)
  t.ok(reflector.synced)
})

t.test('a server that is away is one line, then one a minute; its return is one line', async t => {
  let up = false
  const server = await fakeApiServer(t, (received, reply) => {
    if (!up) return reply.reset()
    if (isWatch(received)) reply.watch()
    else oneList(reply)
  })
  const given = parts(t, server.url)
  const complaints = new Complaints(given.clock, given.log)
  const handler = { replace() {}, apply() {} }
  const reflectors = ['pods', 'nodes'].map(
    resource => new Reflector({ ...given, complaints, resource, path: `/api/v1/${resource}`, project, handler })
  )
  for (const reflector of reflectors) reflector.start()
  await given.clock.until(() => server.requests.length >= 6)
  t.equal(given.log.lines.length, 1)
  t.match(given.log.lines[0], /^warn cannot reach the API server at http:\/\/127.*: .+; retrying$/)
  await given.clock.until(() => given.clock.now() > 130_000)
  t.ok(given.log.lines.length <= 4 && given.log.lines.length >= 2, `${given.log.lines.length} lines in two minutes`)
  up = true
  await given.clock.until(() => reflectors.every(reflector => reflector.synced))
  t.equal(given.log.lines.filter(line => line.startsWith('info')).length, 1)
  await Promise.all(reflectors.map(reflector => reflector.stop()))
})

t.test('stop ends everything, also in the middle of a wait or a list', async t => {
  const scripts: Script[] = [scripted(oneList, quiet), (_, reply) => reply.status(500), () => {}]
  for (const script of scripts) {
    const { reflector, clock, server } = await rig(t, script)
    reflector.start()
    reflector.start()
    await clock.settled(() => server.requests.length >= 1)
    await reflector.stop()
    t.equal(clock.pending, 0, 'no timer is left')
    const { length } = server.requests
    clock.advance(600_000)
    t.equal(server.requests.length, length)
  }
})

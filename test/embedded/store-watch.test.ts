import * as fc from 'fast-check'
import t from 'tap'
import type { EmbeddedApi } from '../../extender/embedded/api/types.ts'
import type { WatchEvent } from '../../extender/embedded/store/client.ts'
import { type KubeObject, StatusError } from '../../extender/embedded/store/objects.ts'
import { asked } from './api-call.ts'

const maps = (name: string, namespace = 'default') => ({ resource: 'configmaps', namespace, name })
const configMap = (name: string, data = '', labels = {}, namespace = 'default'): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', data: { data } },
  metadata: { name, namespace, labels }
})
const shown = ({ type, object }: WatchEvent) => `${type} ${object.metadata.name} ${(object as Told).data?.data ?? ''}`
type Told = KubeObject & { readonly data?: { readonly data?: string } }

/** An API with the ConfigMaps a, b and c, and how to change one of them. */
function filled(options: Parameters<typeof asked>[0] = {}) {
  const { api } = asked(options)
  for (const name of ['a', 'b', 'c']) api.create('configmaps', configMap(name, '0'))
  const change = (name: string, data: string) => api.patch(maps(name), { data: { data } })
  return { api, change }
}

function watched(api: EmbeddedApi, options: Parameters<EmbeddedApi['watch']>[2] = {}) {
  const seen: string[] = []
  const stop = api.watch('configmaps', event => seen.push(shown(event)), options)
  return { seen, stop }
}

t.test('a watch tells of what is there, or of what has changed since', async t => {
  const { api, change } = filled()
  const from = api.list('configmaps').resourceVersion
  change('a', '1')
  api.delete(maps('b'))
  const since = ['MODIFIED a 1', 'DELETED b 0']
  const all = ['ADDED a 1', 'ADDED c 0']
  const cases: Record<string, [from: string | undefined, want: string[]]> = {
    'without a version: of all objects': [undefined, all],
    'from version 0: of all objects as well': ['0', all],
    'from the version of a list: of what came after it': [from, since],
    'from the version of an object: of what came after that': [
      api.list('configmaps').items[0]!.metadata.resourceVersion!,
      since.slice(1)
    ],
    'from now: of nothing yet': [api.resourceVersion, []]
  }
  const watches = Object.entries(cases).map(([name, [version, want]]) => {
    const watch = watched(api, version === undefined ? {} : { from: version })
    t.strictSame(watch.seen, want, name)
    return { watch, want, name }
  })
  change('c', '2')
  for (const { watch, want, name } of watches) t.strictSame(watch.seen, [...want, 'MODIFIED c 2'], `${name}, and on`)
  for (const { watch } of watches) watch.stop()
  change('c', '3')
  for (const { watch, want } of watches)
    t.equal(watch.seen.length, want.length + 1, 'one that is stopped hears nothing')
})

t.test('any version is as good as a bookmark', async t => {
  const { api, change } = filled()
  change('a', '1')
  api.create('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } })
  const { resourceVersion } = api
  change('a', '2')
  t.strictSame(watched(api, { from: resourceVersion }).seen, ['MODIFIED a 2'], 'that of another resource too')
})

function refusal(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error
  }
}

t.test('a version that is too old, too new or none is refused', async t => {
  const { api, change } = filled({ history: 3 })
  const old = api.resourceVersion
  for (const data of ['1', '2', '3', '4']) change('a', data)
  const [last] = api.list('configmaps').items
  const cases: Record<string, [from: string, status: number, reason: string, message: RegExp]> = {
    'too old': [old, 410, 'Expired', /^too old resource version: \d+ \(\d+\)$/],
    'ahead of time': ['100000', 504, 'Timeout', /^Too large resource version: 100000, current: \d+$/],
    'no number': ['abc', 400, 'BadRequest', /Invalid value: "abc"/],
    negative: ['-1', 400, 'BadRequest', /Invalid value: "-1"/]
  }
  for (const [name, [from, status, reason, message]] of Object.entries(cases))
    t.match(
      refusal(() => api.watch('configmaps', () => {}, { from })),
      { status, reason, message },
      name
    )
  t.strictSame(watched(api, { from: String(Number(old) + 1) }).seen, ['MODIFIED a 2', 'MODIFIED a 3', 'MODIFIED a 4'])
  t.match(last, { data: { data: '4' } })
  t.match(
    refusal(() => api.watch('nopes', () => {})),
    { status: 404 }
  )
})

t.test('a watch of some objects sees them come and go', async t => {
  const { api } = asked()
  const by = (labels: Record<string, string>) => api.patch(maps('a'), { metadata: { labels } })
  api.create('configmaps', configMap('a', '0', { app: 'web' }))
  const { seen } = watched(api, { labelSelector: 'app=web' })
  const gone: KubeObject[] = []
  api.watch('configmaps', ({ type, object }) => type === 'DELETED' && gone.push(object), { labelSelector: 'app=web' })
  by({ tier: 'front' })
  by({ app: 'db' })
  by({ tier: 'back' })
  by({ app: 'web' })
  api.delete(maps('a'))
  api.create('configmaps', configMap('b', '', { app: 'db' }))
  t.strictSame(seen, ['ADDED a 0', 'MODIFIED a 0', 'DELETED a 0', 'ADDED a 0', 'DELETED a 0'])
  t.match(gone[0]!.metadata, { labels: { app: 'web', tier: 'front' } }, 'it leaves as it was, under the new version')
  t.equal(Number(gone[0]!.metadata.resourceVersion), Number(gone[1]!.metadata.resourceVersion) - 3)
})

t.test('selections are for replays as well', async t => {
  const { api, change } = filled()
  api.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } })
  const from = api.resourceVersion
  api.create('configmaps', configMap('a', 'x', {}, 'other'))
  change('a', '1')
  change('b', '1')
  const cases: Record<string, [object, want: string[]]> = {
    'a namespace': [{ namespace: 'other' }, ['ADDED a x']],
    'a name': [{ fieldSelector: 'metadata.name=a' }, ['ADDED a x', 'MODIFIED a 1']],
    both: [{ namespace: 'default', fieldSelector: 'metadata.name=a' }, ['MODIFIED a 1']],
    nothing: [{ labelSelector: 'no=way' }, []]
  }
  for (const [name, [options, want]] of Object.entries(cases))
    t.strictSame(watched(api, { ...options, from }).seen, want, name)
})

t.test('a listener may write: all hear everything once, in one order', async t => {
  const { api, change } = filled()
  const start = api.resourceVersion
  const first = watched(api, { from: start })
  api.watch('configmaps', event => shown(event) === 'MODIFIED a 1' && void (change('b', '2'), change('c', '3')), {
    from: start
  })
  api.watch('configmaps', event => shown(event) === 'MODIFIED b 2' && api.delete(maps('c')), { from: start })
  const late: ReturnType<typeof watched>[] = []
  api.watch('configmaps', event => shown(event) === 'MODIFIED a 1' && late.push(watched(api, { from: start })), {
    from: start
  })
  const last = watched(api, { from: start })
  change('a', '1')
  const want = ['MODIFIED a 1', 'MODIFIED b 2', 'MODIFIED c 3', 'DELETED c 3']
  t.strictSame(first.seen, want)
  t.strictSame(last.seen, want)
  t.strictSame(late[0]!.seen, want, 'one that begins in the middle too')
})

t.test('a listener may write while it is told of what is there', async t => {
  const { api, change } = filled()
  const seen: string[] = []
  api.watch('configmaps', event => {
    seen.push(shown(event))
    if (seen.length === 1) for (const name of ['a', 'c']) change(name, '1')
  })
  t.strictSame(seen, ['ADDED a 0', 'ADDED b 0', 'ADDED c 0', 'MODIFIED a 1', 'MODIFIED c 1'], 'the new comes after it')
  const replayed: string[] = []
  const from = String(Number(api.resourceVersion) - 2)
  const stop = api.watch(
    'configmaps',
    event => {
      replayed.push(shown(event))
      if (replayed.length === 1) change('b', '2')
    },
    { from }
  )
  t.strictSame(replayed, ['MODIFIED a 1', 'MODIFIED c 1', 'MODIFIED b 2'], 'and after a replay')
  stop()
})

t.test('a listener that stops in the middle hears no more, and one that fails does not disturb', async t => {
  const failures: unknown[] = []
  const { api, change } = filled({ report: error => failures.push(error) })
  const seen: string[] = []
  const stop = api.watch(
    'configmaps',
    event => {
      seen.push(shown(event))
      if (seen.length === 1) {
        stop()
        change('b', '1')
      }
    },
    { from: api.resourceVersion }
  )
  const failure = new Error('no')
  api.watch(
    'configmaps',
    () => {
      throw failure
    },
    { from: api.resourceVersion }
  )
  const after = watched(api, { from: api.resourceVersion })
  t.match(change('a', '1'), { data: { data: '1' } }, 'the write stands')
  t.strictSame(seen, ['MODIFIED a 1'])
  t.strictSame(after.seen, ['MODIFIED a 1', 'MODIFIED b 1'])
  t.strictSame(failures, [failure, failure])
})

/** The objects that a watch has told of, from what was there when it began; throws where it tells what cannot be. */
class Mirror {
  readonly objects = new Map<string, KubeObject>()
  readonly #heard: () => void
  #version: number

  constructor(api: EmbeddedApi, from?: string, heard: () => void = () => {}) {
    this.#heard = heard
    const { items } = api.list('configmaps')
    if (from !== undefined) for (const object of items) this.objects.set(object.metadata.name, object)
    this.#version = Number(from ?? 0)
    api.watch('configmaps', event => this.#hear(event), from === undefined ? {} : { from })
  }

  #hear({ type, object }: WatchEvent): void {
    const { name, resourceVersion } = object.metadata
    const version = Number(resourceVersion)
    const known = this.objects.has(name)
    if ((type === 'ADDED') === known) throw new Error(`${type} of ${name}, which is ${known ? '' : 'not '}there`)
    // What is there at first comes in the order of names.
    if (type !== 'ADDED' && version <= this.#version) throw new Error(`${version} came after ${this.#version}`)
    this.#version = Math.max(version, this.#version)
    if (type === 'DELETED') this.objects.delete(name)
    else this.objects.set(name, object)
    this.#heard()
  }

  list(): readonly KubeObject[] {
    return [...this.objects.values()].toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1))
  }
}

const operation = fc.record({
  does: fc.constantFrom('create', 'update', 'stale', 'patch', 'delete', 'watch', 'list and watch'),
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  data: fc.nat(3).map(String)
})
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

const runs = {
  numRuns: Number(process.env['RUNS'] ?? 150),
  seed: Number(process.env['SEED'] ?? 20_260_102),
  endOnFailure: false
}

/** Reads, waits for its turn, writes: as clients do, who do not know of each other. */
async function write(
  api: EmbeddedApi,
  { does, name, data }: Operation,
  turn: () => Promise<unknown>,
  mirrors: Mirror[]
) {
  const before = api.get(maps(name))
  await turn()
  switch (does) {
    case 'create':
      return api.create('configmaps', configMap(name, data))
    case 'update':
      return api.update('configmaps', configMap(name, data))
    case 'stale':
      return before && api.update('configmaps', { ...before, data: { data } })
    case 'patch':
      return api.patch(maps(name), { data: { data } })
    case 'delete':
      return api.delete(maps(name))
    case 'watch':
      return mirrors.push(new Mirror(api))
    case 'list and watch':
      return mirrors.push(new Mirror(api, api.list('configmaps').resourceVersion))
  }
}

/** Whether every mirror shows what is there, and none was told what cannot be. */
function agree(api: EmbeddedApi, mirrors: readonly Mirror[], wrong: readonly unknown[]): boolean {
  const want = JSON.stringify(api.list('configmaps').items)
  if (wrong.length > 0) throw wrong[0]
  return mirrors.every(mirror => JSON.stringify(mirror.list()) === want)
}

t.test('whoever writes what and when, every watch ends with what is there', async t => {
  const refused = new Set<number>()
  const history = async (s: fc.Scheduler, writers: readonly Operation[][]) => {
    const wrong: unknown[] = []
    const { api } = asked({ report: error => wrong.push(error) })
    const mirrors = [new Mirror(api)]
    const work = writers.map(async operations => {
      for (const each of operations)
        try {
          await write(api, each, () => s.schedule(Promise.resolve()), mirrors)
        } catch (error) {
          if (!(error instanceof StatusError)) throw error
          refused.add(error.status)
        }
    })
    await s.waitFor(Promise.all(work))
    return agree(api, mirrors, wrong)
  }
  const writers = fc.array(fc.array(operation, { maxLength: 12 }), { minLength: 2, maxLength: 5 })
  await fc.assert(fc.asyncProperty(fc.scheduler(), writers, history), runs)
  const all = [...refused].toSorted((one, other) => one - other)
  t.strictSame(all, [404, 409], 'some came too late, as they should')
})

/** Operations one after the other, and others that listeners do when they hear something for the so-manieth time. */
function echoing(operations: readonly Operation[], echoes: readonly [at: number, does: Operation][]): boolean {
  const wrong: unknown[] = []
  const { api } = asked({ report: error => wrong.push(error) })
  const mirrors: Mirror[] = []
  let count = 0
  const heard = () => {
    const now = count++
    for (const [at, each] of echoes) if (at === now) act(each)
  }
  const act = ({ does, name, data }: Operation): void => {
    try {
      if (does === 'create') api.create('configmaps', configMap(name, data))
      else if (does === 'delete') api.delete(maps(name))
      else if (does === 'watch') mirrors.push(new Mirror(api, undefined, heard))
      else if (does === 'list and watch') mirrors.push(new Mirror(api, api.list('configmaps').resourceVersion, heard))
      else api.patch(maps(name), { data: { data } })
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
    }
  }
  for (const name of ['a', 'b', 'c']) api.create('configmaps', configMap(name))
  mirrors.push(new Mirror(api, undefined, heard))
  for (const each of operations) act(each)
  return agree(api, mirrors, wrong)
}

t.test('listeners that write as well leave every watch with what is there', async t => {
  const echoes = fc.array(fc.tuple(fc.nat(15), operation), { maxLength: 8 })
  fc.assert(fc.property(fc.array(operation, { maxLength: 20 }), echoes, echoing), runs)
  t.pass()
})

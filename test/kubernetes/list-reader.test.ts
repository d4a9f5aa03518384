import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { type Fields, FieldTable, Shared } from '../../extender/kubernetes/fields.ts'
import { ListReader, type ListReaderOptions } from '../../extender/kubernetes/list-reader.ts'

/** What the reader makes of a body that comes in pieces of these sizes, over and over. */
function read(body: string | Uint8Array, sizes: readonly number[], options: ListReaderOptions = {}) {
  const bytes = Buffer.from(body)
  const reader = new ListReader(options)
  const items: unknown[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    items.push(...reader.push(bytes.subarray(at, at + size)))
    at += size
  }
  const { items: last, ...end } = reader.end()
  return { items: [...items, ...last], ...end }
}

/** What is left of a value when only those fields are read. */
function pruned(value: unknown, part: Fields[string]): unknown {
  const fields = part instanceof Shared ? part.part : part
  if (fields === 'whole' || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(one => (Array.isArray(one) ? one : pruned(one, fields)))
  const kept = Object.entries(value).flatMap(([name, part]): [string, unknown][] => {
    const wanted = Object.hasOwn(fields, name) ? fields[name] : undefined
    return wanted ? [[name, pruned(part, wanted)]] : []
  })
  return Object.fromEntries(kept)
}

const fields: Fields = {
  metadata: { name: 'whole', labels: new Shared('whole') },
  spec: { a: {}, bee: new Shared({ c: 'whole' }), 'grün"': 'whole' },
  other: new Shared({ a: new Shared('whole'), name: 'whole' })
}
const table = new FieldTable(fields)
const names = [
  'metadata',
  'name',
  'labels',
  'spec',
  'a',
  'bee',
  'c',
  'grün"',
  'other',
  'unread',
  '',
  'metadat',
  '\\',
  '\ud83d\ude00'
]
/** Objects in which what is read stands beside what is not, at any depth. */
const { value: anything } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constantFrom(null, true, 0, -1.5e-7, 1e300, [], {}), fc.string({ unit: 'binary' }), fc.integer()),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 6 }),
    fc.array(tie('value'), { maxLength: 4 })
  )
}))
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 8 })
const spaces = fc.constantFrom('', ' ', '\t', '\r\n  ')
const metadata = { resourceVersion: '7', continue: 'token', remainingItemCount: 3 }

/** As JSON with those spaces in it, and names of fields now and then with escapes. */
function written(value: unknown, space: string, escaped: boolean): string {
  const text = JSON.stringify(value, undefined, space)
  return escaped ? text.replaceAll('metadata', '\\u006det\\u0061data').replaceAll('"bee"', '"b\\u0065e"') : text
}

t.test(
  'whatever the borders of the chunks, a page reads as JSON.parse reads it, less what nobody asks for',
  async () => {
    fc.assert(
      fc.property(
        fc.array(anything),
        sizes,
        spaces,
        fc.boolean(),
        fc.boolean(),
        (items, borders, space, some, escaped) => {
          const body = written({ kind: 'List', metadata, items, after: [items] }, space, escaped)
          const want = (JSON.parse(body) as { items: unknown[] }).items
          const found = read(body, borders, some ? { fields: table } : {})
          const wanted = some ? want.map(item => (Array.isArray(item) ? item : pruned(item, fields))) : want
          return isDeepStrictEqual(found, { items: wanted, resourceVersion: '7', next: 'token' })
        }
      ),
      { numRuns: 500 }
    )
  }
)

t.test('a field that stands twice counts as it stands last, as for JSON.parse', async t => {
  const objects = [
    '{"spec":{"bee":{"c":1}},"spec":{"a":{}}}',
    '{"metadata":{"labels":7,"labels":{"x":1}}}',
    '{"other":0,"other":[3]}'
  ]
  const page = `{"metadata":{"resourceVersion":"7"},"items":[${objects.join()}]}`
  t.strictSame(
    read(page, [9], { fields: table }).items,
    objects.map(each => JSON.parse(each) as unknown)
  )
})

t.test('what is alike in many objects is the same object in all of them', async t => {
  const [a, b] = read(
    '{"metadata":{"resourceVersion":"7"},"items":[{"spec":{"bee":{"c":[1]}}},{"spec":{"bee":{"x":2,"c":[1]}}}]}',
    [9],
    {
      fields: table
    }
  ).items as { spec: { bee: object } }[]
  t.strictSame(a, { spec: { bee: { c: [1] } } })
  t.equal(a?.spec.bee, b?.spec.bee)
})

t.test('of parts that are never alike only so many are remembered, and all are read', async t => {
  const items = Array.from({ length: 120_000 }, (_, index) => ({ spec: { bee: { c: index } } }))
  const body = JSON.stringify({ metadata: { resourceVersion: '7' }, items })
  const found = read(body, [65_536], { fields: table }).items
  t.ok(isDeepStrictEqual(found, items))
})

t.test('the members of a page may stand in any order, and objects come before the page has ended', async t => {
  const reader = new ListReader()
  t.strictSame(reader.push(Buffer.from('{"items":[{"a":1},{"b":2}')), [{ a: 1 }, { b: 2 }])
  t.strictSame(reader.push(Buffer.from(',3],"apiVersion":"v1","metadata":{"resource')), [3])
  reader.push(Buffer.from('Version":"9"}} \n'))
  t.strictSame(reader.end(), { items: [], resourceVersion: '9', next: undefined })
})

t.test('an empty list of Go is null', async t => {
  const want = { items: [], resourceVersion: '1', next: undefined }
  for (const items of ['null', '[]', ' [ ] '])
    t.strictSame(read(`{"metadata":{"resourceVersion":"1","continue":""},"items":${items}}`, [3]), want)
})

const page = '{"kind":"List","metadata":{"resourceVersion":"7"},"items":[{"a":"\\"}"},{"b":[1]}]}'

t.test('a page that is cut anywhere is no list', async t => {
  t.strictSame(read(page, [1]).items, [{ a: '"}' }, { b: [1] }])
  for (let end = 0; end < page.length; end += 1) t.throws(() => read(page.slice(0, end), [5]), SyntaxError, `at ${end}`)
})

const noLists: Record<string, string> = {
  nothing: '',
  'a list without its page': '[{"a":1}]',
  'another page behind it': page + page,
  'a web page': '<html>',
  'a page without items': '{"metadata":{"resourceVersion":"7"}}',
  'a page without a version': '{"metadata":{},"items":[]}',
  'a version that is no text': '{"metadata":{"resourceVersion":7},"items":[]}',
  'items that are an object': '{"metadata":{"resourceVersion":"7"},"items":{"a":1}}',
  'items twice': '{"metadata":{"resourceVersion":"7"},"items":[],"items":[]}',
  'a comma too many': '{"metadata":{"resourceVersion":"7"},"items":[{},]}',
  'a comma too few': '{"metadata":{"resourceVersion":"7"} "items":[]}',
  'a member without a value': '{"metadata":{"resourceVersion":"7"},"items":[{"metadata"}]}',
  'a name that is a number': '{"metadata":{"resourceVersion":"7"},"items":[{1:2}]}',
  'a word that is none': '{"metadata":{"resourceVersion":"7"},"items":[{"spec":{"bee":{"c":tru}}}]}',
  'an escape that is none': '{"metadata":{"resourceVersion":"7"},"items":[{"\\x":1}]}',
  'brackets that do not fit': '{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":[}}}]}'
}
for (const [name, body] of Object.entries(noLists)) {
  t.test(`${name} is no list`, async t => {
    t.throws(() => read(body, [7], { fields: table }), SyntaxError)
    t.throws(() => read(body, [1000], { fields: table }), SyntaxError)
  })
}

function refused(body: Uint8Array, borders: readonly number[]): boolean {
  try {
    read(body, borders, { fields: table, limit: 200 })
    return false
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return true
    throw error
  }
}

t.test('bytes of anybody are a list or an error of ours', async t => {
  let [lists, others] = [0, 0]
  fc.assert(
    fc.property(fc.nat(page.length - 1), fc.uint8Array({ maxLength: 3 }), fc.nat(3), sizes, (at, put, out, borders) => {
      const bytes = Buffer.from(page)
      const body = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + out)])
      if (refused(body, borders)) others += 1
      else lists += 1
    }),
    { numRuns: 2_000 }
  )
  t.ok(lists > 0 && others > 0, `${lists} lists, ${others} others`)
})

/** A page with these members in its first object. */
const body = (part: string): string => `{"metadata":{"resourceVersion":"7"},"items":[{${part}}]}`

const long = (size: number): string => body(`"unread":"${'x'.repeat(size)}"},{"spec":{"a":1}`)

t.test('nesting without end costs no stack', async t => {
  const deep = 200_000
  const nested = '['.repeat(deep) + ']'.repeat(deep)
  t.strictSame(read(body(`"unread":${nested},"spec":{"a":{}}`), [65_536], { fields: table }).items, [
    { spec: { a: {} } }
  ])
  t.throws(() => read(body(`"spec":{"a":${'['.repeat(deep)}`), [65_536], { fields: table }), SyntaxError)
})

t.test('an object of more bytes than anybody sends is refused, however it comes', async t => {
  t.strictSame(read(long(900), [100], { fields: table, limit: 1_000 }).items, [{}, { spec: { a: 1 } }])
  t.throws(() => read(long(5_000), [100], { fields: table, limit: 1_000 }), RangeError)
  t.throws(() => read(`{"metadata":${' '.repeat(3_000)}{`, [1_500], { limit: 1_000 }), RangeError)
})

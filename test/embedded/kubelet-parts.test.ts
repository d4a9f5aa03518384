import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Addresses, nodeAddress } from '../../extender/embedded/kubelet/addresses.ts'
import { parseDuration } from '../../extender/embedded/kubelet/duration.ts'
import { LogBook } from '../../extender/embedded/kubelet/logs.ts'
import { type Letter, Mailbox } from '../../extender/embedded/kubelet/mailbox.ts'
import { ModuleRefused, resolveModule } from '../../extender/embedded/kubelet/modules.ts'
import { TimerQueue } from '../../extender/embedded/timer-queue.ts'
import { WorkQueue } from '../../extender/embedded/work-queue.ts'
import { VirtualClock } from '../gangs/virtual-clock.ts'
import { dice } from './parts.ts'

t.test('durations as Go writes them, or in seconds', async t => {
  const cases = {
    '2s': 2000,
    '1m30s': 90_000,
    '500ms': 500,
    '1.5h': 5_400_000,
    '3': 3000,
    '0': 0,
    soon: undefined,
    '': undefined,
    '5 s': undefined
  }
  for (const [text, want] of Object.entries(cases)) t.equal(parseDuration(text), want, text)
  t.equal(parseDuration(undefined), undefined)
})

t.test('S4.38 modules are files within the root, whatever way leads there', async t => {
  const dir = t.testdir({
    root: { 'a.ts': '', sub: { 'b.mjs': '' }, 'c.json': '', node_modules: { 'd.js': '' } },
    outside: { 'x.ts': '' }
  })
  const root = join(dir, 'root')
  symlinkSync(join(dir, 'outside', 'x.ts'), join(root, 'link.ts'))
  symlinkSync(join(dir, 'outside'), join(root, 'folder'))
  for (const good of ['a.ts', './a.ts', 'sub/b.mjs', 'sub/../a.ts', join(root, 'a.ts'), 'muster:echo'])
    t.match(resolveModule(good, root).href, /^file:.*\.(ts|mjs)$/, good)
  const bad = {
    '../outside/x.ts': /outside of the root/,
    [join(dir, 'outside', 'x.ts')]: /outside of the root/,
    'link.ts': /outside of the root/,
    'folder/x.ts': /outside of the root/,
    'gone.ts': /is not there/,
    'c.json': /is no \.ts/,
    sub: /is no \.ts/,
    'node_modules/d.js': /node_modules/,
    'node:fs': /is no path/,
    'data:text/javascript,1': /is no path/,
    'https://example.com/x.ts': /is no path/,
    'file:///etc/passwd': /is no path/,
    'muster:../kubelet/start': /outside of the root/,
    'muster:nothing': /is not there/
  }
  for (const [module, message] of Object.entries(bad)) {
    t.throws(() => resolveModule(module, root), { name: 'ModuleRefused', message }, module)
  }
  t.ok(new ModuleRefused('x') instanceof Error)
  mkdirSync(join(dir, 'root2'))
  writeFileSync(join(dir, 'root2', 'y.ts'), '')
  t.throws(() => resolveModule('../root2/y.ts', root), ModuleRefused, 'a folder whose name starts alike')
})

t.test('logs keep the last lines, and no more than fit', async t => {
  const book = new LogBook(100)
  for (let index = 0; index < 1000; index++) book.add(index, `line ${index}`)
  t.equal(book.lines.at(-1)!.text, 'line 999')
  t.ok(book.lines.length <= 12)
  book.turn()
  book.add(1000, 'two\nlines\n')
  t.strictSame(
    book.lines.map(({ text }) => text),
    ['two', 'lines']
  )
  t.equal(book.previous!.at(-1)!.text, 'line 999')
})

t.test('addresses are unique, given back, and one for all where loopback has only one', async t => {
  const addresses = new Addresses(true)
  const all = Array.from({ length: 1000 }, (_, index) => addresses.of(`pod-${index}`))
  t.equal(new Set(all).size, 1000)
  t.equal(addresses.of('pod-7'), all[7])
  t.ok(all.every(address => /^127\.(1[6-9]|[2-9]\d|1\d\d|2[0-4]\d|25[0-5])\.\d+\.\d+$/.test(address)))
  addresses.giveBack('pod-7')
  addresses.keep('other', '127.16.3.240')
  const more = Array.from({ length: 10 }, (_, index) => addresses.of(`more-${index}`))
  t.notOk(more.includes('127.16.3.240'))
  const elsewhere = new Addresses(true, 4_321)
  const others = Array.from({ length: 1_000 }, (_, index) => elsewhere.of(`pod-${index}`))
  t.strictSame(new Set(others).intersection(new Set(more)), new Set(), 'another block has other addresses')
  t.ok(others.every(address => /^127\.(1[6-9]|2\d|3[01])\./.test(address)))
  const one = new Addresses(false)
  t.strictSame([one.of('a'), one.of('b')], ['127.0.0.1', '127.0.0.1'])
  t.equal(new Set(Array.from({ length: 3000 }, (_, index) => nodeAddress(index, true))).size, 3000)
})

t.test('S4.3 S4.35 a mailbox keeps order, survives a crash, and hands back what nobody took', async t => {
  const box = new Mailbox(3)
  const got: unknown[] = []
  const answers: unknown[] = []
  const bounced: unknown[] = []
  const receiver = {
    deliver: (sequence: number, letter: Letter) => void got.push([sequence, letter.value]),
    end: () => void got.push('end')
  }
  const letter = (value: string): Letter => ({
    value,
    answer: result => answers.push([value, result.ok]),
    bounced: again => bounced.push(again.value)
  })
  box.put(letter('a'))
  box.put(letter('b'))
  box.put({ value: 'c' })
  t.throws(() => box.put({ value: 'd' }), /queue is full: 3/)
  box.attach(receiver)
  t.strictSame(got, [
    [1, 'a'],
    [2, 'b'],
    [3, 'c']
  ])
  box.taken(1)
  box.answered(1, { ok: true, value: 1 })
  box.taken(2)
  box.detach(new Error('crash'))
  t.strictSame(
    answers,
    [
      ['a', true],
      ['b', false]
    ],
    'what it worked on has failed'
  )
  box.attach(receiver)
  t.strictSame(got.at(-1), [4, 'c'], 'what it had not taken comes again')
  box.finish()
  t.equal(got.at(-1), 'end')
  t.notOk(box.isOpen)
  box.put(letter('late'))
  box.close(new Error('gone'))
  t.strictSame(bounced, ['late'])
})

t.test('one timer serves any number of deadlines, in order, beyond what setTimeout can', async t => {
  const clock = new VirtualClock()
  const fired: string[] = []
  const timers = new TimerQueue(clock, key => fired.push(key))
  const random = dice(7)
  const waits = Array.from({ length: 200 }, (_, index) => ({ key: `k${index}`, ms: Math.floor(random() * 5000) }))
  for (const { key, ms } of waits) timers.set(key, ms)
  timers.set('far', 40 * 86_400_000)
  timers.set('k0', 10_000)
  timers.set('off', 100)
  timers.delete('off')
  t.ok(clock.pending <= 1)
  await clock.advance(6000)
  const want = waits.toSorted((one, other) => one.ms - other.ms).map(({ ms }) => ms)
  t.strictSame(
    fired.map(key => waits.find(each => each.key === key)!.ms),
    want
  )
  await clock.advance(41 * 86_400_000)
  t.equal(fired.at(-1), 'far')
  t.equal(timers.size, 0)
})

t.test('S4.24 a work queue looks once however often it is told, and tries again with longer pauses', async t => {
  const clock = new VirtualClock()
  const worked: string[] = []
  const failures: number[] = []
  const queue = new WorkQueue({
    ...{ clock, random: () => 0.5, shortestMs: 100, longestMs: 300 },
    work: key => {
      worked.push(`${key}@${clock.now() - 1000}`)
      if (key === 'bad' && failures.length < 4) throw new Error('no')
    },
    failed: (_key, _error, attempt) => failures.push(attempt)
  })
  for (let count = 0; count < 5; count++) queue.add('a')
  queue.add('bad')
  queue.addAfter('later', 250)
  queue.addAfter('later', 50)
  await clock.advance(5000)
  t.strictSame(worked, ['a@0', 'bad@0', 'later@50', 'bad@100', 'bad@300', 'bad@600', 'bad@900'])
  t.strictSame(failures, [1, 2, 3, 4])
  queue.stop()
  queue.add('a')
  t.equal(queue.size, 0)
})

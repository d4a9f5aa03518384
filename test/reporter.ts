import { Transform } from 'node:stream'
import { type FinalResults, Parser, type Result } from 'tap-parser'

type Tally = { passed: number; failed: number; skipped: number }
type Scope = { readonly path: readonly string[]; readonly parser: Parser; readonly tally: Tally }

/** What tap adds to a failure for its own use. */
const plumbing = new Set([
  'stdio',
  'cwd',
  'externalID',
  'command',
  'args',
  'jobId',
  'test',
  'tapCaught',
  'source',
  'at'
])

/**
 * What tap says, for a log: one line a file, every failure in full, and at the very end
 * `N passed, N failed, N skipped`. Counted are the assertions, plus files and groups that failed without a failed one
 * inside (a crash, a signal, a timeout).
 */
export default class Reporter extends Transform {
  readonly #failures: string[] = []
  readonly #root: Scope

  constructor() {
    super({ decodeStrings: false })
    this.#root = { path: [], parser: new Parser(), tally: { passed: 0, failed: 0, skipped: 0 } }
    this.#watch(this.#root)
    this.#root.parser.on('complete', results => this.#complete(results))
  }

  override _transform(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#root.parser.write(String(chunk))
    done()
  }

  override _flush(done: () => void): void {
    this.#root.parser.end()
    const { passed, failed, skipped } = this.#root.tally
    if (this.#failures.length > 0) this.#say('', 'Failed:', ...this.#failures.map(name => `  ${name}`))
    this.#say('', `${passed} passed, ${failed} failed, ${skipped} skipped`)
    done()
  }

  #watch({ path, parser, tally }: Scope): void {
    let inner: Tally | undefined
    parser.on('child', child => {
      inner = { passed: 0, failed: 0, skipped: 0 }
      this.#watch({ path: [...path, child.name], parser: child, tally: inner })
    })
    parser.on('assert', result => {
      if (inner === undefined || !spoke(inner, result)) this.#leaf(path, result, tally)
      if (inner !== undefined) add(tally, inner)
      inner = undefined
      if (path.length === 0) this.#file(result)
    })
    parser.on('comment', comment => this.#comment(comment))
    parser.on('extra', line => this.#say(line.trimEnd()))
    parser.on('bailout', reason => this.#fail(tally, `bail out: ${reason}`))
  }

  #leaf(path: readonly string[], result: Result, tally: Tally): void {
    const name = [...path, result.name].join(' > ')
    if (result.skip !== false || result.todo !== false) {
      tally.skipped++
      this.#say(`  skipped: ${name} (${[result.skip, result.todo].find(why => typeof why === 'string') ?? 'todo'})`)
    } else if (result.ok) tally.passed++
    else this.#fail(tally, name, details(result))
  }

  #file({ ok, name, time }: Result): void {
    this.#say(`${ok ? 'ok  ' : 'FAIL'} ${name}${time ? ` (${(time / 1000).toFixed(1)} s)` : ''}`)
  }

  #complete(results: FinalResults): void {
    const { tally } = this.#root
    if (!results.ok && tally.failed === 0) this.#fail(tally, 'the run itself', JSON.stringify(results.failures))
  }

  #comment(comment: string): void {
    if (!/^# (Subtest:|time=|timeout=|\{ total:|No coverage generated)/.test(comment)) this.#say(comment.trimEnd())
  }

  #fail(tally: Tally, name: string, text = ''): void {
    tally.failed++
    this.#failures.push(name)
    this.#say('', `not ok: ${name}`, ...text.split('\n').map(line => `    ${line}`.trimEnd()))
  }

  #say(...lines: string[]): void {
    this.push(`${lines.join('\n')}\n`)
  }
}

/** Whether what happened inside a group already tells its result; else the group counts as one assertion itself. */
function spoke({ passed, failed, skipped }: Tally, group: Result): boolean {
  return group.ok ? passed + failed + skipped > 0 : failed > 0
}

function add(to: Tally, from: Tally): void {
  to.passed += from.passed
  to.failed += from.failed
  to.skipped += from.skipped
}

function details({ diag }: Result): string {
  const lines: string[] = []
  for (const [key, value] of Object.entries((diag ?? {}) as Record<string, unknown>)) {
    if (plumbing.has(key) || value === null) continue
    const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)
    lines.push(text.includes('\n') ? `${key}:\n  ${text.replaceAll('\n', '\n  ')}` : `${key}: ${text}`)
  }
  return lines.join('\n')
}

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { KubernetesCluster } from '../../extender/embed.ts'

t.setTimeout(60_000)

const folder = join(import.meta.dirname, '../../extender/embedded')
const guide = readFileSync(join(folder, 'README.md'), 'utf8')
const root = pathToFileURL(join(import.meta.dirname, '../..'))

/** The blocks of the guide that say which file they are, and what stands in a block of text after them. */
const files = [...guide.matchAll(/```(?:ts|yaml)\n(?:\/\/|#) (\S+)\n(.*?)```(?:\n```text\n(.*?)```)?/gs)].map(
  ([, name = '', source = '', output]) => ({
    name,
    source: source.replaceAll(`'./extender/`, `'${root.href}/extender/`),
    output
  })
)

t.test('S4.52 every example of the guide does what it says', async t => {
  const dir = t.testdir(Object.fromEntries(files.map(({ name, source }) => [name, source])))
  const programs = files.filter(({ output }) => output !== undefined)
  t.ok(programs.length >= 2, `${programs.length} programs`)
  for (const { name, output } of programs) {
    const child = spawn(process.execPath, [name], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    t.equal(stdout, output ?? '', `${name} ${stderr}`)
  }
})

t.test('S4.52 the YAML of the guide is taken', async t => {
  const cluster = await new KubernetesCluster().start()
  t.teardown(() => cluster.stop())
  const applied = await cluster.applyYaml(files.find(({ name }) => name === 'reference.yaml')!.source)
  t.strictSame(
    applied.map(({ outcome }) => outcome),
    ['created', 'created']
  )
  t.equal(await cluster.api.requestService('all', 'x'), '> x')
})

t.test('S4.47 what the guide links to is there, and its workers are all that come with muster', async t => {
  for (const [, link = ''] of guide.matchAll(/\]\(([^)#]+)\)/g)) t.ok(existsSync(join(folder, link)), link)
  for (const [, name] of guide.matchAll(/`muster:(\w+)`/g))
    t.ok(existsSync(join(folder, 'workers', `${name}.ts`)), `muster:${name}`)
  t.ok(guide.split('\n').every(line => line.length <= 140))
})

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { loadConfig } from '../../extender/config.ts'
import { schedulerConfiguration } from '../../extender/cli/scheduler-config.ts'
import { embed } from '../../extender/embed.ts'
import { serving } from './run.ts'

const sabotage = { NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'sabotage.ts')).href}` }
const free = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']

const member = (gang: string, index: number) => ({
  ...{ apiVersion: 'v1', kind: 'Pod' },
  metadata: {
    ...{ namespace: 'default', name: `${gang}-${index}` },
    annotations: { 'muster.dev/gang': gang, 'muster.dev/min-member': '3' }
  },
  spec: {
    ...{ schedulerName: 'muster', schedulingGates: [{ name: 'muster.dev/gang' }] },
    containers: [{ name: 'main', image: 'none' }]
  }
})

t.test('S3.66 S3.67 S3.71 a muster whose logic fails begins anew in the same process, and finishes', async t => {
  const kubeconfigFile = join(t.testdir(), 'kubeconfig')
  const embedded = await embed({ nodes: 4, kubeconfigFile })
  t.teardown(() => embedded.stop())
  const { client } = embedded.cluster
  const { child, line, lines, exited } = serving(t, ['--kubeconfig', kubeconfigFile, ...free], sabotage)
  const { url = '' } = await line(/^the extender listens/)
  const { url: apiUrl = '' } = await line(/^the API listens/)
  await line(/^ready$/)
  embedded.schedule({ ...schedulerConfiguration(loadConfig([], {}), url) })

  const create = (gang: string): void => {
    for (let index = 0; index < 3; index++) client.create('pods', member(gang, index))
  }
  const nodesOf = (gang: string): (string | undefined)[] =>
    client
      .list('pods', { namespace: 'default' })
      .items.filter(({ metadata }) => metadata.name.startsWith(gang))
      .map(({ spec }) => (spec as { nodeName?: string }).nodeName)
  const started = (gang: string) => line(/^started a gang$/, each => each.gang?.includes(gang) === true)

  create('before')
  await started('before')
  const before = nodesOf('before')
  create('cursed')
  const surprise = await line(/^an unexpected error/)
  t.match(surprise, {
    msg: 'an unexpected error; everything is read anew in 10 s',
    err: { message: 'the planner has stumbled over a curse' }
  })
  const readyz = await fetch(`${url}/readyz`)
  t.equal(readyz.status, 503)
  t.match(
    await readyz.text(),
    /\[-\] gangs: beginning anew after an unexpected error: the planner has stumbled over a curse\n$/
  )
  const asked = await fetch(`${apiUrl}/gangs`)
  t.match([asked.status, await asked.json()], [503, { error: /^muster is beginning anew after/ }])
  t.equal((await fetch(`${url}/livez`)).status, 200, 'nobody has to restart it')
  t.equal(await counted(url), 0)

  await line(/^reading everything anew$/)
  await started('cursed')
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  t.equal(await counted(url), 1)
  t.strictSame(nodesOf('before'), before, 'who ran before runs where it ran')
  t.ok(nodesOf('cursed').every(node => node !== undefined))
  t.equal(lines.filter(({ level }) => level >= 50).length, 1, 'one error')
  child.kill('SIGTERM')
  t.strictSame(await exited, [0, null])
})

async function counted(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^muster_reinitializations_total (\d+)$/m.exec(text)?.[1])
}

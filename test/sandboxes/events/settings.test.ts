import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { startEvents } from '../../../extender/sandboxes/events/serve.ts'
import { webhookSettings } from '../../../extender/sandboxes/events/webhooks/settings.ts'
import { recordingLog } from '../serve.ts'
import { secret } from './rig.ts'

t.test('webhooks are read from flags and from a file, where each may have secrets and ranges of its own', async t => {
  const webhooksFile = `${t.testdir({
    'hooks.yaml': `webhooks:
  - url: https://example.com/hook#part
    secrets: [${secret}, whsec_${Buffer.alloc(64, 1).toString('base64')}]
    allow: [10.0.0.0/8]
  - url: http://plain.example:8080`
  })}/hooks.yaml`
  const settings = await webhookSettings({ webhooks: ['https://flag.example'], webhooksFile, secrets: [secret] })
  t.strictSame(
    settings.map(({ url, keys }) => [url, keys.length]),
    [
      ['https://flag.example/', 1],
      ['https://example.com/hook', 2],
      ['http://plain.example:8080/', 1]
    ]
  )
  t.strictSame(
    settings.map(({ rule }) => rule('10.0.0.1')),
    ['10.0.0.1 is private', undefined, '10.0.0.1 is private']
  )
  const own = await webhookSettings({ webhooks: ['http://a'], secrets: [secret], allowPrivate: true })
  t.equal(own[0]?.rule('127.0.0.1'), undefined)
})

t.test('the file of the guide is one', async t => {
  const guide = await readFile('extender/sandboxes/events/README.md', 'utf8')
  const [, yaml = ''] = /```yaml\n(.*?)```/s.exec(guide) ?? []
  const settings = await webhookSettings({ webhooksFile: `${t.testdir({ 'hooks.yaml': yaml })}/hooks.yaml` })
  t.strictSame(
    settings.map(({ url, rule }) => [url, rule('10.0.0.1')]),
    [
      ['https://example.com/ended', '10.0.0.1 is private'],
      ['http://collector.tools.svc:8080/', undefined]
    ]
  )
})

t.test('what is wrong with a webhook is told with its place', async t => {
  const url = 'https://example.com/'
  const flags = {
    'no URL': { given: { webhooks: ['nonsense'] }, want: /^--webhook nonsense: its url must be one such as/ },
    'another scheme': { given: { webhooks: ['ftp://a/'] }, want: /its url must be one such as/ },
    'a password': { given: { webhooks: ['http://me:pass@a/'] }, want: /no password in it/ },
    'no secret': { given: { webhooks: [url], secrets: [] }, want: /has no secret; give it one/ },
    'a short secret': { given: { webhooks: [url], secrets: ['whsec_YWJj'] }, want: /24 to 64 bytes/ },
    'a long secret': {
      given: { webhooks: [url], secrets: [`whsec_${Buffer.alloc(65).toString('base64')}`] },
      want: /24 to 64 bytes/
    },
    'no prefix': { given: { webhooks: [url], secrets: [secret.slice(6)] }, want: /must be whsec_/ },
    'the same twice': { given: { webhooks: [url, 'https://EXAMPLE.com'] }, want: /is given twice/ }
  }
  for (const [name, { given, want }] of Object.entries(flags))
    await t.rejects(webhookSettings({ secrets: [secret], ...given }), { name: 'UsageError', message: want }, name)
  const files = {
    '[]': /hooks.yaml: must be a mapping/,
    'webhooks: 1': /hooks.yaml: webhooks must be a list/,
    'webhooks: []\nhooks: []': /hooks.yaml: hooks is not known/,
    'webhooks: [1]': /hooks.yaml: webhooks\[0\]: must be a mapping/,
    'webhooks: [{}]': /webhooks\[0\]: its url must be/,
    'webhooks: [{url: "http://a", secret: x}]': /webhooks\[0\]: secret is not known/,
    'webhooks: [{url: "http://a", secrets: x}]': /webhooks\[0\].secrets: must be a list of texts/,
    'webhooks: [{url: "http://a", allow: [1]}]': /webhooks\[0\].allow: must be a list of texts/,
    'webhooks: [{url: "http://a", allow: [all]}]': /webhooks\[0\].allow: "all" must be a range of addresses/,
    'webhooks: [': /--webhooks: .*hooks.yaml cannot be read/
  }
  for (const [yaml, want] of Object.entries(files)) {
    const webhooksFile = `${t.testdir({ 'hooks.yaml': yaml })}/hooks.yaml`
    await t.rejects(webhookSettings({ webhooksFile, secrets: [secret] }), { name: 'UsageError', message: want }, yaml)
  }
  await t.rejects(webhookSettings({ webhooksFile: '/nowhere.yaml' }), /--webhooks: \/nowhere.yaml cannot be read/)
})

t.test('a port that is taken, and a Redis that is not there, are told in a sentence without a password', async t => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const { log } = recordingLog()
  await t.rejects(startEvents({ log, port }), { name: 'UsageError', message: /cannot listen on 127.0.0.1/ })
  server.close()
  await once(server, 'close')
  const redis = `redis://someone:hidden@127.0.0.1:${port}`
  const error = await startEvents({ log, redis }).catch((thrown: unknown) => thrown as Error)
  t.match((error as Error).message, /^--redis: cannot reach Redis at 127.0.0.1:\d+: .*ECONNREFUSED/)
  t.notMatch((error as Error).message, 'hidden')
  await t.rejects(startEvents({ log, redis: 'nonsense' }), { name: 'UsageError', message: /must be a URL/ })
})

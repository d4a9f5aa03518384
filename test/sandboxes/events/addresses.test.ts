import t from 'tap'
import { addressRule, ownNetwork } from '../../../extender/sandboxes/events/webhooks/addresses.ts'

const strict = addressRule([], 'test')
const own = addressRule(ownNetwork, 'test')

t.test('only public addresses may be reached', async t => {
  const table: Record<string, readonly string[]> = {
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fc00::1', 'fd00:ec2::254'],
    loopback: ['127.0.0.1', '127.9.9.9', '::1', '[::1]'],
    'link-local': ['169.254.169.254', 'fe80::1', 'fe80::1%eth0'],
    reserved: ['0.0.0.0', '255.255.255.255', '224.0.0.1', '192.0.2.7', '2002:7f00:1::', '2001::1', '2001:db8::1'],
    'not public': ['::', '::127.0.0.1', '64:ff9b::7f00:1', '100::1', 'ff02::1', '4000::1'],
    'no address': ['', 'localhost', '1.2.3', '1.2.3.4.5']
  }
  for (const [why, addresses] of Object.entries(table))
    for (const address of addresses) t.match(strict(address) ?? 'may be reached', why, `${address} is ${why}`)
  for (const address of ['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '[2606:4700::1111]'])
    t.equal(strict(address), undefined, address)
})

t.test('IPv4 that is written as IPv6 is judged as IPv4', async t => {
  for (const address of ['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:7f00:0001', '::FFFF:169.254.169.254'])
    t.not(strict(address), undefined, address)
  t.equal(strict('::ffff:8.8.8.8'), undefined)
  t.equal(own('::ffff:10.0.0.1'), undefined)
  t.match(own('::ffff:a9fe:a9fe'), 'link-local')
})

t.test('what is allowed may be reached, and the metadata of clouds only by its own range', async t => {
  for (const address of ['127.0.0.1', '10.0.0.1', '::1', 'fd12::1']) t.equal(own(address), undefined, address)
  t.match(own('169.254.169.254'), 'link-local')
  const exact = addressRule(['169.254.169.254/32', '10.1.0.0/16'], 'test')
  t.strictSame([exact('169.254.169.254'), exact('10.1.2.3')], [undefined, undefined])
  t.match(exact('10.2.0.1'), 'private')
  for (const range of ['10.0.0.0', '10.0.0.0/33', '::/129', 'all', '/8', '10.0.0/8'])
    t.throws(() => addressRule([range], 'hooks.yaml: webhooks[0].allow'), /hooks.yaml: webhooks\[0\].allow: "/, range)
})

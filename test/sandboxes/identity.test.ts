import t from 'tap'
import { sandboxIdOf } from '../../extender/sandboxes/identity.ts'

const identity = { tenant: '', projectId: 'shop', idempotencyKey: '' }

t.test('S0.3 S1.1 the same identity has the same id, a DNS label', async t => {
  const id = sandboxIdOf(identity)
  t.match(id, /^sbx-[a-z2-7]{26}$/)
  t.equal(sandboxIdOf({ ...identity, tenant: 'default' }), id)
  t.not(sandboxIdOf({ ...identity, tenant: 'other' }), id)
  t.not(sandboxIdOf({ ...identity, projectId: 'blog' }), id)
})

t.test('S0.3 a key is an identity of its own, whatever project it comes with', async t => {
  const keyed = { ...identity, idempotencyKey: 'shop' }
  t.not(sandboxIdOf(keyed), sandboxIdOf(identity))
  t.equal(sandboxIdOf({ ...keyed, projectId: 'blog' }), sandboxIdOf(keyed), 'so that another use of it is noticed')
})

import Fastify from 'fastify'
import t from 'tap'
import { gangRoutes, type Reports } from '../../extender/api/gangs.ts'

const job = { namespace: 'default', name: 'job', state: 'running', plan: null }
const train = { namespace: 'training', name: 'job', state: 'waiting', plan: null }
const urgent = {
  ...{ namespace: 'training', name: 'urgent', state: 'planned' },
  plan: { id: '1-1', leaving: ['payroll/secret-0', 'training/worker-9', 'training-2/secret-1'] }
}
const toldOfUrgent = { ...urgent, plan: { id: '1-1', leaving: ['training/worker-9'], leavingElsewhere: 2 } }
const worker = { namespace: 'training', name: 'worker-0', explanation: 'why', gang: null }
const member = { namespace: 'training', name: 'urgent-0', explanation: 'why', gang: urgent }
const reports: Reports = {
  gangs: () => [job, train, urgent],
  gang: (namespace, name) => [job, train, urgent].find(gang => gang.namespace === namespace && gang.name === name),
  pod: (namespace, name) => [worker, member].find(pod => pod.namespace === namespace && pod.name === name)
}

const cases: Record<string, { url: string; status?: number; want: object }> = {
  'all gangs, of every namespace': { url: '/gangs', want: { gangs: [job, train, toldOfUrgent] } },
  'those of one namespace': { url: '/gangs?namespace=training', want: { gangs: [train, toldOfUrgent] } },
  'those of a namespace that has none': { url: '/gangs?namespace=none', want: { gangs: [] } },
  'one gang, of the default namespace': { url: '/gangs/job', want: job },
  'one gang, of that namespace': { url: '/gangs/job?namespace=training', want: train },
  'a gang that is not there': {
    url: '/gangs/none',
    status: 404,
    want: { error: 'no gang none in namespace default' }
  },
  'who leaves for a gang, of other namespaces only how many': {
    url: '/gangs/urgent?namespace=training',
    want: toldOfUrgent
  },
  'the same of a member': {
    url: '/explain/urgent-0?namespace=training',
    want: { ...member, gang: toldOfUrgent }
  },
  'why a pod waits': { url: '/explain/worker-0?namespace=training', want: worker },
  'a pod of another namespace': {
    url: '/explain/worker-0',
    status: 404,
    want: { error: 'no pod worker-0 in namespace default' }
  },
  'a hostile name': { url: '/gangs/__proto__', status: 404, want: { error: 'no gang __proto__ in namespace default' } },
  'a namespace said twice': {
    url: '/gangs/job?namespace=a&namespace=b',
    status: 404,
    want: { error: 'no gang job in namespace a,b' }
  }
}
for (const [name, { url, status = 200, want }] of Object.entries(cases)) {
  t.test(name, async t => {
    const app = Fastify()
    gangRoutes(app, reports)
    const answer = await app.inject(url)
    t.equal(answer.statusCode, status)
    t.strictSame(answer.json(), want)
  })
}

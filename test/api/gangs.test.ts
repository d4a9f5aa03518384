import Fastify from 'fastify'
import t from 'tap'
import { gangRoutes, type Reports } from '../../extender/api/gangs.ts'

const job = { namespace: 'default', name: 'job', state: 'running' }
const train = { namespace: 'training', name: 'job', state: 'waiting' }
const worker = { namespace: 'training', name: 'worker-0', explanation: 'why' }
const reports: Reports = {
  gangs: () => [job, train],
  gang: (namespace, name) => [job, train].find(gang => gang.namespace === namespace && gang.name === name),
  pod: (namespace, name) => (namespace === worker.namespace && name === worker.name ? worker : undefined)
}

const cases: Record<string, { url: string; status?: number; want: object }> = {
  'all gangs, of every namespace': { url: '/gangs', want: { gangs: [job, train] } },
  'those of one namespace': { url: '/gangs?namespace=training', want: { gangs: [train] } },
  'those of a namespace that has none': { url: '/gangs?namespace=none', want: { gangs: [] } },
  'one gang, of the default namespace': { url: '/gangs/job', want: job },
  'one gang, of that namespace': { url: '/gangs/job?namespace=training', want: train },
  'a gang that is not there': {
    url: '/gangs/none',
    status: 404,
    want: { error: 'no gang none in namespace default' }
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

import type { FastifyInstance } from 'fastify'

/** What the human API asks for; `gangs/telling/report.ts` answers it, `main.ts` plugs it in. */
export interface Reports {
  gangs(): readonly Gang[]
  gang(namespace: string, name: string): Gang | undefined
  pod(namespace: string, name: string): { readonly gang: Gang | null } | undefined
}

/** What the API has to know of a gang; the rest passes as it is. */
type Gang = {
  readonly namespace: string
  /** `leaving`: who has to leave before it starts, as `namespace/name`. */
  readonly plan: { readonly leaving: readonly string[] } | null
}

type Named = { Params: { name: string }; Querystring: { namespace?: string } }

/** GET /gangs, /gangs/NAME and /explain/POD; `?namespace=` says where, `default` if it says nothing. */
export function gangRoutes(app: FastifyInstance, reports: Reports): void {
  app.get<{ Querystring: { namespace?: string } }>('/gangs', async ({ query }) => ({
    gangs: reports
      .gangs()
      .filter(gang => query.namespace === undefined || gang.namespace === query.namespace)
      .map(told)
  }))
  app.get<Named>('/gangs/:name', async ({ params, query }, reply) => {
    const namespace = query.namespace ?? 'default'
    const gang = reports.gang(namespace, params.name)
    return gang ? told(gang) : reply.code(404).send({ error: `no gang ${params.name} in namespace ${namespace}` })
  })
  app.get<Named>('/explain/:name', async ({ params, query }, reply) => {
    const namespace = query.namespace ?? 'default'
    const pod = reports.pod(namespace, params.name)
    return pod
      ? { ...pod, gang: pod.gang && told(pod.gang) }
      : reply.code(404).send({ error: `no pod ${params.name} in namespace ${namespace}` })
  })
}

/** Who leaves of other namespaces is only counted. */
export function told(gang: Gang): Gang {
  const { namespace, plan } = gang
  if (!plan) return gang
  const leaving = plan.leaving.filter(name => name.startsWith(`${namespace}/`))
  return { ...gang, plan: { ...plan, leaving, ...{ leavingElsewhere: plan.leaving.length - leaving.length } } }
}

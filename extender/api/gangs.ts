import type { FastifyInstance } from 'fastify'

/** What the human API asks for; `gangs/report.ts` answers it, `main.ts` plugs it in. */
export interface Reports {
  gangs(): readonly object[]
  gang(namespace: string, name: string): object | undefined
  pod(namespace: string, name: string): object | undefined
}

type Named = { Params: { name: string }; Querystring: { namespace?: string } }

/** GET /gangs, /gangs/NAME and /explain/POD; `?namespace=` says where, `default` if it says nothing. */
export function gangRoutes(app: FastifyInstance, reports: Reports): void {
  app.get<{ Querystring: { namespace?: string } }>('/gangs', async ({ query }) => ({
    gangs: reports
      .gangs()
      .filter(gang => query.namespace === undefined || ('namespace' in gang && gang.namespace === query.namespace))
  }))
  app.get<Named>('/gangs/:name', async ({ params, query }, reply) => {
    const namespace = query.namespace ?? 'default'
    const gang = reports.gang(namespace, params.name)
    return gang ?? reply.code(404).send({ error: `no gang ${params.name} in namespace ${namespace}` })
  })
  app.get<Named>('/explain/:name', async ({ params, query }, reply) => {
    const namespace = query.namespace ?? 'default'
    const pod = reports.pod(namespace, params.name)
    return pod ?? reply.code(404).send({ error: `no pod ${params.name} in namespace ${namespace}` })
  })
}

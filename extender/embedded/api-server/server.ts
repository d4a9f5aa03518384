import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  type HTTPMethods
} from 'fastify'
import { Answering, sendJson, sendStatus } from './answering.ts'
import { parsed, typed } from './bodies.ts'
import type { ServerParts } from './call.ts'
import type { ServingCertificate } from './certificates.ts'
import { aggregated, coreVersions, groupList, groupNamed, resourceList } from './discovery.ts'
import { mediaType } from './bodies.ts'
import { shapeOf } from './negotiation.ts'
import { openApiDocument, openApiIndex } from './openapi/document.ts'
import { onlyCreated, reviewed, reviewKind } from './reviews.ts'
import { bindNamed } from './subresources.ts'
import { unknown } from './target.ts'
import { versionInfo } from './versions.ts'

/** As much as upstream reads. */
const bodyLimit = 3 * 1024 * 1024
const methods: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** The API over HTTP, or over HTTPS where there is a certificate. Never listens. */
export function buildApiServer(parts: ServerParts, certificate?: ServingCertificate): FastifyInstance {
  const app = Fastify(optionsOf(certificate))
  const answering = new Answering(parts)
  // Patches, YAML and what we do not know: whoever handles a request reads the bytes.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error, _request, reply) => sendStatus(reply, error))
  app.setNotFoundHandler((_request, reply) => sendStatus(reply, unknown()))
  app.addHook('preClose', () => answering.closeStreams())
  healthRoutes(app)
  discoveryRoutes(app, parts)
  openApiRoutes(app, parts)
  reviewRoutes(app, parts)
  app.post<{ Params: { namespace: string } }>('/api/v1/namespaces/:namespace/bindings', (request, reply) => {
    const pods = parts.api.resources.get('pods')
    if (!pods) throw unknown()
    const { namespace } = request.params
    const target = { resource: pods, version: 'v1', namespace, subresource: 'binding' }
    return answering.answer(request, reply, call => bindNamed(call, pods), target)
  })
  app.route({ method: methods, url: '/api/v1/*', handler: answering.handle })
  app.route({ method: methods, url: '/apis/:group/:version/*', handler: answering.handle })
  return app
}

function optionsOf(certificate: ServingCertificate | undefined): FastifyServerOptions {
  const options: FastifyServerOptions = {
    bodyLimit,
    // Go keeps idle connections for 90 s and does not repeat a POST on one that the server has just closed.
    keepAliveTimeout: 120_000,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
    frameworkErrors: (error, _request, reply) => void sendStatus(reply, error)
  }
  // The types of Fastify tie the two protocols to two types of server; nobody here looks at the server.
  return certificate ? ({ ...options, https: certificate } as FastifyServerOptions) : options
}

function healthRoutes(app: FastifyInstance): void {
  for (const path of ['/livez', '/readyz', '/healthz', '/livez/*', '/readyz/*', '/healthz/*'])
    app.get(path, (_request, reply) => reply.type('text/plain').send('ok'))
  app.get('/version', (_request, reply) => sendJson(reply, 200, versionInfo))
}

/** Who asks for the aggregated form gets it; it is another media type, which clients check. */
function discovered(request: FastifyRequest, reply: FastifyReply, forms: { all: () => object; old: () => object }) {
  if (shapeOf(request.headers.accept) !== 'APIGroupDiscoveryList') return sendJson(reply, 200, forms.old())
  const body = JSON.stringify(forms.all())
  return reply.type('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList').send(Buffer.from(body))
}

function found(reply: FastifyReply, body: object | undefined): FastifyReply {
  return body ? sendJson(reply, 200, body) : sendStatus(reply, unknown())
}

function discoveryRoutes(app: FastifyInstance, { api }: ServerParts): void {
  const { resources } = api
  app.get('/api', (request, reply) =>
    discovered(request, reply, { all: () => aggregated(resources, true), old: () => coreVersions(request.host) })
  )
  app.get('/apis', (request, reply) =>
    discovered(request, reply, { all: () => aggregated(resources, false), old: () => groupList(resources) })
  )
  app.get('/api/v1', (_request, reply) => found(reply, resourceList(resources, '', 'v1')))
  app.get<{ Params: { group: string } }>('/apis/:group', ({ params }, reply) =>
    found(reply, groupNamed(resources, params.group))
  )
  app.get<{ Params: { group: string; version: string } }>('/apis/:group/:version', ({ params }, reply) =>
    found(reply, resourceList(resources, params.group, params.version))
  )
}

function openApiRoutes(app: FastifyInstance, { api }: ServerParts): void {
  app.get('/openapi/v3', (_request, reply) => sendJson(reply, 200, openApiIndex(api.resources)))
  app.get<{ Params: { '*': string } }>('/openapi/v3/*', ({ params }, reply) =>
    found(reply, openApiDocument(api.resources, params['*']))
  )
}

/** Questions about oneself and about others, which are answered and not kept. */
function reviewRoutes(app: FastifyInstance, { users }: ServerParts): void {
  for (const group of ['authentication.k8s.io', 'authorization.k8s.io'])
    app.route<{ Params: { '*': string } }>({
      method: methods,
      url: `/apis/${group}/v1/*`,
      handler: (request, reply) => {
        const plural = request.params['*'].split('/').at(-1) ?? ''
        const kind = reviewKind(group, plural)
        if (kind === undefined) throw unknown()
        if (request.method !== 'POST') throw onlyCreated(kind)
        const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.from('{}')
        const body = parsed({ type: mediaType(request.headers['content-type']), bytes })
        const asked = typed(body, `${group}/v1`, kind)
        return sendJson(reply, 201, reviewed(kind, asked, { user: users.of(request.headers), users }))
      }
    })
}

import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { SchedulerService } from './proto/generated/sandbox/v1/scheduler_pb.js'
import type { Route } from './rest-routes.ts'

type Schema = Readonly<Record<string, unknown>>
type Schemas = Map<string, Schema>

/** The OpenAPI page of plain routes: its schemas are those of the protocol, so that it cannot say anything else. */
export function openApi(routes: readonly Route[]): Schema {
  const schemas: Schemas = new Map()
  const paths: Record<string, Record<string, Schema>> = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.verb.toLowerCase()]: operation(route, schemas) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'muster sandboxes', version: 'v1' },
    paths,
    components: { schemas: { ...Object.fromEntries(schemas), Error: error } }
  }
}

const error: Schema = {
  type: 'object',
  properties: { code: { type: 'string' }, message: { type: 'string' }, details: { type: 'array' } }
}

function operation({ path, verb, method, summary }: Route, schemas: Schemas): Schema {
  const { input, output } = SchedulerService.method[method]
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  const others = input.fields.filter(({ name }) => !inPath.includes(name))
  const parameters = inPath.map(name => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const query = others.map(field => ({ name: field.name, in: 'query', schema: schemaOf(field, schemas) }))
  const content = (schema: Schema): Schema => ({ 'application/json': { schema } })
  return {
    ...{ operationId: `${method}${inPath.join('') === 'project_id' ? 'OfProject' : ''}`, summary },
    parameters: verb === 'POST' ? parameters : [...parameters, ...query],
    ...(verb === 'POST' && { requestBody: { content: content(refTo(input, schemas)) } }),
    responses: {
      200: { description: 'Done.', content: content(refTo(output, schemas)) },
      default: { description: 'Refused.', content: content({ $ref: '#/components/schemas/Error' }) }
    }
  }
}

/** Well-known types are texts in JSON. */
const texts: Readonly<Record<string, Schema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', description: 'Such as 90s or 1h30m; answers are in seconds.' }
}

function refTo(message: DescMessage, schemas: Schemas): Schema {
  const known = texts[message.typeName]
  if (known) return known
  if (!schemas.has(message.name)) {
    // Before its fields: a message may be within itself.
    schemas.set(message.name, {})
    const properties = message.fields.map(field => [field.jsonName, schemaOf(field, schemas)])
    schemas.set(message.name, { type: 'object', properties: Object.fromEntries(properties) })
  }
  return { $ref: `#/components/schemas/${message.name}` }
}

function schemaOf(field: DescField, schemas: Schemas): Schema {
  switch (field.fieldKind) {
    case 'message':
      return refTo(field.message, schemas)
    case 'enum':
      return { type: 'string', enum: field.enum.values.map(({ name }) => name) }
    case 'map':
      return { type: 'object', additionalProperties: { type: 'string' } }
    case 'list':
      return { type: 'array', items: field.listKind === 'message' ? refTo(field.message, schemas) : { type: 'string' } }
    case 'scalar':
      return scalar(field.scalar)
  }
}

function scalar(type: ScalarType): Schema {
  if (type === ScalarType.STRING) return { type: 'string' }
  if (type === ScalarType.BOOL) return { type: 'boolean' }
  return { type: type === ScalarType.DOUBLE ? 'number' : 'integer' }
}

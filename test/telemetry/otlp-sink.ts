import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import type { Test } from 'tap'

type Value = string | number | boolean
type Attributes = Readonly<Record<string, Value>>

export type Span = {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly kind: number
  readonly nanoseconds: bigint
  readonly attributes: Attributes
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  /** 2 is an error. */
  readonly status: number
  /** Of the process that told it. */
  readonly resource: Attributes
}

/** How a collector behaves: it takes spans, or whatever a test likes. */
type Behaviour = (request: IncomingMessage, response: ServerResponse) => void

/** A collector of traces that speaks OTLP over HTTP, until the test ends. */
export async function sink(t: Test, behaviour?: Behaviour) {
  const spans: Span[] = []
  const bodies: Buffer[] = []
  const requests: IncomingMessage[] = []
  let more = Promise.withResolvers<void>()
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request)
    bodies.push(body)
    spans.push(...spansOf(body))
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  }
  const server = createServer((request, response) => {
    requests.push(request)
    if (behaviour) behaviour(request, response)
    else void take(request, response).finally(() => told())
    if (behaviour) told()
  }).listen(0, '127.0.0.1')
  const told = (): void => {
    more.resolve()
    more = Promise.withResolvers()
  }
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  /** Resolves once that is so; looked at whenever something has come. */
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await more.promise
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, bodies, requests, until }
}

/** Field number → its values, of one protobuf message. */
type Message = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>

function message(bytes: Uint8Array): Message {
  const reader = new BinaryReader(bytes)
  const fields = new Map<number, (bigint | Uint8Array)[]>()
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    fields.set(number, [...(fields.get(number) ?? []), value(reader, type)])
  }
  return fields
}

function value(reader: BinaryReader, type: WireType): bigint | Uint8Array {
  if (type === WireType.LengthDelimited) return reader.bytes()
  if (type === WireType.Varint) return BigInt(reader.uint64())
  if (type === WireType.Bit64) return BigInt(reader.fixed64())
  return BigInt(reader.fixed32())
}

const parts = (of: Message, number: number): Message[] =>
  (of.get(number) ?? []).map(each => message(each as Uint8Array))
const text = (of: Message, number: number): string => Buffer.from(bytesOf(of, number)).toString()
const hex = (of: Message, number: number): string => Buffer.from(bytesOf(of, number)).toString('hex')
const integer = (of: Message, number: number): bigint => (of.get(number)?.[0] as bigint | undefined) ?? 0n

function bytesOf(of: Message, number: number): Uint8Array {
  return (of.get(number)?.[0] as Uint8Array | undefined) ?? new Uint8Array()
}

/** As opentelemetry/proto/trace/v1/trace.proto numbers them. */
function spansOf(body: Uint8Array): Span[] {
  return parts(message(body), 1).flatMap(ofResource => {
    const resource = attributes(parts(ofResource, 1)[0] ?? new Map(), 1)
    return parts(ofResource, 2).flatMap(ofScope => parts(ofScope, 2).map(span => spanOf(span, resource)))
  })
}

function spanOf(span: Message, resource: Attributes): Span {
  return {
    ...{ name: text(span, 5), traceId: hex(span, 1), spanId: hex(span, 2), parentId: hex(span, 4) },
    ...{ kind: Number(integer(span, 6)), nanoseconds: integer(span, 8) - integer(span, 7) },
    ...{ attributes: attributes(span, 9), resource },
    links: parts(span, 13).map(link => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    status: Number(integer(parts(span, 15)[0] ?? new Map(), 3))
  }
}

function attributes(of: Message, number: number): Attributes {
  return Object.fromEntries(
    parts(of, number).map(pair => [text(pair, 1), any(parts(pair, 2)[0] ?? new Map())] as const)
  )
}

function any(of: Message): Value {
  if (of.has(3)) return Number(integer(of, 3))
  if (of.has(2)) return integer(of, 2) === 1n
  return text(of, 1)
}

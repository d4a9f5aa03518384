import { createHash } from 'node:crypto'
import {
  type Attributes,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer
} from '@opentelemetry/api'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  type IdGenerator,
  RandomIdGenerator,
  type SpanProcessor,
  TracerProvider
} from '@opentelemetry/sdk-trace'
import type { Clock, Random } from '../clock.ts'

type PodRef = { readonly namespace: string; readonly name: string; readonly uid: string }
/** Whose trace a span is part of. */
type TracedGang = {
  readonly id: string
  readonly uid: string
  readonly epoch: number
  readonly plan: string | undefined
}

export type SpansParts = {
  readonly outbox: SpanProcessor
  /** Of spans that nothing follows from, so many are told. */
  readonly ratio: number
  readonly version: string
  readonly instance: string
  readonly clock: Clock
  readonly random: Random
}

/** One stretch of time that has just ended. */
type Told = {
  readonly name: string
  readonly ms: number
  readonly kind: SpanKind
  readonly attributes: Attributes
  readonly error?: string | undefined
  /** The gang whose trace it is part of; absent: it is a trace of its own. */
  readonly in?: TracedGang
  /** It is the span that all others of the gang's trace are in. */
  readonly isRoot?: boolean
  readonly link?: TracedGang | undefined
}

/** Names of tenants are no longer than 253 characters; nothing else needs to be. */
const longest = 256
/** Outcomes that are as they should be; all others are errors. */
const fine = new Set(['ok', 'unschedulable', 'started', 'reserved', 'infeasible', 'opened', 'bound', 'done', 'gone'])

/**
 * Tells a collector what took time. A span is made once it is over: whether it is worth telling is known then, and
 * what is not costs one look. All that happens to one gang is one trace, whose id anybody can compute.
 */
export class Spans {
  readonly #parts: SpansParts
  readonly #provider: TracerProvider
  readonly #tracer: Tracer
  readonly #ids = new Ordered()

  constructor(parts: SpansParts) {
    this.#parts = parts
    const own = { 'service.name': 'muster', 'service.version': parts.version, 'service.instance.id': parts.instance }
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes(own).merge(detectResources({ detectors: [envDetector] })),
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
      spanLimits: { attributeValueLengthLimit: longest },
      spanProcessors: [parts.outbox]
    })
    this.#tracer = this.#provider.getTracer('muster', parts.version)
  }

  /** A call of kube-scheduler, which sends no trace of its own: linked to the trace of the pod's gang. */
  called(
    call: { verb: string; outcome: string; status: number; scheme: string; ms: number; pod: PodRef | undefined },
    gangOf: (uid: string) => TracedGang | undefined
  ): void {
    const { verb, outcome, status, scheme, ms, pod } = call
    const isError = !fine.has(outcome)
    const gang = verb === 'bind' && pod ? gangOf(pod.uid) : undefined
    if (!isError && !gang && !this.#isChosen()) return
    const route = `/${verb}`
    this.#tell({
      ...{ name: `POST ${route}`, kind: SpanKind.SERVER, ms, error: isError ? outcome : undefined },
      attributes: {
        'http.request.method': 'POST',
        'http.route': route,
        'url.path': route,
        'url.scheme': scheme,
        'http.response.status_code': status,
        'muster.outcome': outcome,
        ...ofPod(pod)
      },
      link: gang ?? (pod && gangOf(pod.uid))
    })
  }

  /** Something of a gang's way to its nodes. */
  gang(span: { name: string; gang: TracedGang; from: number; outcome: string; pod?: PodRef }): void {
    const { name, gang, from, outcome, pod } = span
    // Who waits is planned again and again, in vain.
    if (name === 'plan' && outcome !== 'reserved' && !this.#isChosen()) return
    this.#tell({
      ...{ name, ms: this.#parts.clock.now() - from, in: gang, isRoot: name === 'gang' },
      kind: name.startsWith('kubernetes.') ? SpanKind.CLIENT : SpanKind.INTERNAL,
      attributes: { 'muster.outcome': outcome, ...ofPod(pod) },
      error: fine.has(outcome) ? undefined : outcome
    })
  }

  /** A resource was listed, in all its pages. */
  listed({
    resource,
    from,
    objects,
    reason
  }: {
    resource: string
    from: number
    objects: number
    reason?: string
  }): void {
    this.#tell({
      ...{ name: 'relist', ms: this.#parts.clock.now() - from, kind: SpanKind.CLIENT },
      attributes: { 'muster.resource': resource, 'muster.objects': objects },
      error: reason
    })
  }

  /** The cluster was read and everything taken over, in so many seconds. */
  recovered(seconds: number): void {
    this.#tell({ name: 'recover', ms: seconds * 1_000, kind: SpanKind.INTERNAL, attributes: {} })
  }

  /** Sends what waits, for as long as the collector takes. */
  async close(): Promise<void> {
    await this.#provider.shutdown().catch(() => {})
  }

  #isChosen(): boolean {
    return this.#parts.random() < this.#parts.ratio
  }

  #tell({ name, ms, kind, attributes, error, in: gang, isRoot, link }: Told): void {
    const end = this.#parts.clock.wall()
    const links = link ? [{ context: contextOf(link) }] : []
    const all = { ...attributes, ...ofGang(gang ?? link), ...(error !== undefined && { 'error.type': error }) }
    const context = gang && !isRoot ? trace.setSpanContext(ROOT_CONTEXT, contextOf(gang)) : ROOT_CONTEXT
    if (gang && isRoot) this.#ids.next = contextOf(gang)
    const span = this.#tracer.startSpan(name, { startTime: end - ms, kind, links, attributes: all }, context)
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error })
    span.end(end)
  }
}

function ofPod(pod: PodRef | undefined): Attributes {
  return pod ? { 'k8s.namespace.name': pod.namespace, 'k8s.pod.name': pod.name, 'k8s.pod.uid': pod.uid } : {}
}

function ofGang(gang: TracedGang | undefined): Attributes {
  if (!gang) return {}
  return { 'muster.gang.id': gang.id, ...(gang.plan !== undefined && { 'muster.plan.id': gang.plan }) }
}

/** The trace of a gang under one leader, and the span that the others are in. */
function contextOf({ uid, epoch }: TracedGang): SpanContext {
  const hash = createHash('sha256').update(`${uid}/${epoch}`).digest('hex')
  return { traceId: hash.slice(0, 32), spanId: hash.slice(32, 48), traceFlags: TraceFlags.SAMPLED }
}

/** Random, but for a span whose ids are given beforehand. */
class Ordered implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  #next: Pick<SpanContext, 'traceId' | 'spanId'> | undefined

  /** Of the span that is started next. */
  set next(ids: Pick<SpanContext, 'traceId' | 'spanId'>) {
    this.#next = ids
  }

  generateTraceId(): string {
    const traceId = this.#next?.traceId ?? this.#random.generateTraceId()
    this.#next = undefined
    return traceId
  }

  /** Asked before the trace's id. */
  generateSpanId(): string {
    return this.#next?.spanId ?? this.#random.generateSpanId()
  }
}

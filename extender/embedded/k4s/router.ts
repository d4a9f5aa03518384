import type { Clock, Random } from '../../clock.ts'
import type { Service } from '../controllers/service.ts'
import { sendsTo } from '../controllers/service.ts'
import { Informer } from '../informer.ts'
import { isActive, isFinished, isLeaving, isReady, keyOf, type Pod, uidOf } from '../kinds.ts'
import { type Answer, type Letter, Mailbox } from '../kubelet/mailbox.ts'
import type { Call } from '../kubelet/worker-container.ts'
import type { Post } from '../kubelet/worker-runtime.ts'
import { isWorkerPod } from '../kubelet/worker-spec.ts'
import type { Client } from '../store/client.ts'

/** A message that cannot be delivered or was not answered. */
class DeliveryError extends Error {
  override readonly name = 'DeliveryError'
}

export type RouterOptions = {
  readonly client: Client
  readonly clock: Clock
  readonly random: Random
  /** How long a request waits where it does not say. Default 30 s. */
  readonly timeoutMs?: number
  /** How many messages a container's queue holds, and how many wait for a service that nobody matches yet. */
  readonly queueLimit?: number
}

export type RequestOptions = { readonly timeoutMs?: number; readonly namespace?: string }

/** Brings messages to the queues of containers, by name or through a Service. Sending never waits. */
export class Router implements Post {
  readonly #options: RouterOptions
  readonly #pods = new Informer<Pod>('pods', { namespace: ({ metadata }) => [metadata.namespace ?? 'default'] })
  readonly #services = new Informer<Service>('services')
  readonly #mailboxes = new Map<string, Map<string, Mailbox>>()
  /** By service: what came while nobody matched. */
  readonly #parked = new Map<string, Set<Letter>>()

  constructor(options: RouterOptions) {
    this.#options = options
    this.#pods.onChange(({ previous, object }) => {
      if (previous !== undefined && previous.metadata.uid !== object?.metadata.uid) this.#close(previous, 'was removed')
      if (object !== undefined && isFinished(object)) this.#close(object, 'has come to its end')
      if (object !== undefined && this.#parked.size > 0) this.#unpark(object)
    })
    this.#services.onChange(({ previous, object }) => {
      if (object === undefined && previous !== undefined) this.#dropParked(keyOf(previous))
    })
    this.#services.start(options.client)
    this.#pods.start(options.client)
  }

  stop(): void {
    this.#pods.stop()
    this.#services.stop()
    const why = new DeliveryError('the cluster stops')
    for (const boxes of this.#mailboxes.values()) for (const box of boxes.values()) box.close(why)
    for (const key of this.#parked.keys()) this.#dropParked(key)
  }

  mailboxOf(pod: Pod, container: string): Mailbox {
    const boxes = this.#mailboxes.get(uidOf(pod)) ?? new Map<string, Mailbox>()
    this.#mailboxes.set(uidOf(pod), boxes)
    const box = boxes.get(container) ?? new Mailbox(this.#options.queueLimit)
    boxes.set(container, box)
    return box
  }

  async call(pod: Pod, { operation, target, value, timeoutMs }: Call): Promise<unknown> {
    const { namespace = 'default' } = pod.metadata
    const options = { namespace, ...(timeoutMs !== undefined && { timeoutMs }) }
    switch (operation) {
      case 'send':
        return this.send(target, value, namespace)
      case 'sendToService':
        return this.sendToService(target, value, namespace)
      case 'request':
        return this.request(target, value, options)
      case 'requestService':
        return this.requestService(target, value, options)
    }
  }

  /** Puts a value into a container's queue. Throws where there is no such container, or it takes no more. */
  send(container: string, value: unknown, namespace = 'default'): void {
    this.#boxOf(container, namespace).put({ value: structuredClone(value) })
  }

  /** Puts a value into the queue of any container that the Service selects; it waits where none is there yet. */
  sendToService(service: string, value: unknown, namespace = 'default'): void {
    const copy = structuredClone(value)
    const letter: Letter = { value: copy, bounced: again => this.#again(service, namespace, again) }
    this.#toService(service, namespace, letter)
  }

  /** Sends to a container and waits for its answer. */
  request(container: string, value: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { namespace = 'default' } = options
    return this.#ask(`container ${container}`, options, answer => {
      const letter = { value: structuredClone(value), answer }
      this.#boxOf(container, namespace).put(letter)
      return letter
    })
  }

  /** Sends to any container that the Service selects and waits for its answer; another one is asked when it goes. */
  requestService(service: string, value: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { namespace = 'default' } = options
    return this.#ask(`service ${service}`, options, (answer, isOpen) => {
      const bounced = (letter: Letter): void => {
        if (isOpen()) this.#again(service, namespace, letter)
      }
      const letter = { value: structuredClone(value), answer, bounced }
      this.#toService(service, namespace, letter)
      return letter
    })
  }

  #ask(
    whom: string,
    { timeoutMs = this.#options.timeoutMs ?? 30_000 }: RequestOptions,
    send: (answer: (result: Answer) => void, isOpen: () => boolean) => Letter
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let open = true
      let letter: Letter | undefined
      const settle = (result: Answer): void => {
        open = false
        cancel()
        if (result.ok) resolve(result.value)
        else reject(result.error)
      }
      const cancel = this.#options.clock.after(timeoutMs, () => {
        if (letter !== undefined) for (const letters of this.#parked.values()) letters.delete(letter)
        settle({ ok: false, error: new DeliveryError(`no answer from ${whom} within ${timeoutMs} ms`) })
      })
      try {
        letter = send(settle, () => open)
      } catch (error) {
        cancel()
        reject(error)
      }
    })
  }

  /** `name`, or `name:container` for another than the first container of a pod. */
  #boxOf(target: string, namespace: string): Mailbox {
    const [name = '', container] = target.split(':')
    const pod = this.#pods.get(`${namespace}/${name}`)
    const box = pod === undefined || !isActive(pod) ? undefined : this.#openBox(pod, container)
    if (box === undefined) throw new DeliveryError(`there is no container ${target} in namespace ${namespace}`)
    return box
  }

  #openBox(pod: Pod, container = pod.spec.containers[0]?.name): Mailbox | undefined {
    if (!isWorkerPod(pod) || !pod.spec.containers.some(({ name }) => name === container)) return undefined
    const box = this.mailboxOf(pod, container ?? '')
    return box.isOpen ? box : undefined
  }

  #toService(name: string, namespace: string, letter: Letter): void {
    const key = `${namespace}/${name}`
    const service = this.#services.get(key)
    if (service === undefined)
      return refuse(letter, new DeliveryError(`there is no service ${name} in namespace ${namespace}`))
    const box = this.#choose(service)
    if (box !== undefined) return box.put(letter)
    const parked = this.#parked.get(key) ?? new Set()
    if (parked.size >= (this.#options.queueLimit ?? 100_000))
      return refuse(
        letter,
        new DeliveryError(`nobody matches service ${name}, and ${parked.size} messages wait already`)
      )
    this.#parked.set(key, parked.add(letter))
  }

  /** A letter that was not taken goes to another one; where none can have it, who waits for an answer learns of it. */
  #again(name: string, namespace: string, letter: Letter): void {
    try {
      this.#toService(name, namespace, letter)
    } catch (error) {
      letter.answer?.({ ok: false, error: error instanceof Error ? error : new DeliveryError(String(error)) })
    }
  }

  /** Any of those that are ready; of those that are not where none is. */
  #choose(service: Service): Mailbox | undefined {
    const pods = this.#pods
      .by('namespace', service.metadata.namespace ?? 'default')
      .filter(pod => isActive(pod) && sendsTo(service, pod) && this.#openBox(pod) !== undefined)
    const ready = pods.filter(isReady)
    const from = ready.length > 0 ? ready : pods
    const chosen = from[Math.floor(this.#options.random() * from.length)]
    return chosen === undefined ? undefined : this.#openBox(chosen)
  }

  #unpark(pod: Pod): void {
    if (isLeaving(pod)) return
    for (const [key, letters] of this.#parked) {
      const service = this.#services.get(key)
      if (service === undefined || !sendsTo(service, pod) || this.#choose(service) === undefined) continue
      this.#parked.delete(key)
      const { name, namespace = 'default' } = service.metadata
      for (const letter of letters) this.#again(name, namespace, letter)
    }
  }

  #dropParked(key: string): void {
    const letters = this.#parked.get(key) ?? []
    this.#parked.delete(key)
    for (const letter of letters) letter.answer?.({ ok: false, error: new DeliveryError(`service ${key} is gone`) })
  }

  #close(pod: Pod, what: string): void {
    const boxes = this.#mailboxes.get(uidOf(pod))
    this.#mailboxes.delete(uidOf(pod))
    const why = new DeliveryError(`container ${pod.metadata.name} ${what}`)
    for (const box of boxes?.values() ?? []) box.close(why)
  }
}

/** A request learns of it as its answer; what is only sent throws. */
function refuse(letter: Letter, error: DeliveryError): void {
  if (letter.answer === undefined) throw error
  letter.answer({ ok: false, error })
}

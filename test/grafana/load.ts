import type { Embedded } from '../../extender/embed.ts'
import type { Line, serving } from '../cli/run.ts'

type Muster = ReturnType<typeof serving>
type Member = { readonly cpu: string; readonly priority?: string; readonly finalizers?: readonly string[] }

/** Keeps a pod for as long as the test likes. */
const slow = 'example.com/slow'

/** What happens in a cluster, and what goes wrong in it: enough that every part of muster has something to count. */
export class Load {
  readonly #client: Embedded['cluster']['client']
  readonly #line: Muster['line']
  #round = 0

  constructor(embedded: Embedded, muster: Muster) {
    this.#client = embedded.cluster.client
    this.#line = muster.line
    const metadata = { name: 'urgent' }
    const [apiVersion, kind] = ['scheduling.k8s.io/v1', 'PriorityClass']
    this.#client.create('priorityclasses.scheduling.k8s.io', { apiVersion, kind, metadata, value: 1_000 })
  }

  /**
   * A gang takes four nodes and one waits for five. A higher one evicts it and is gone before its room is free, another
   * one takes the room of the next gang.
   */
  async begin(): Promise<void> {
    this.#gang('low', 4, { cpu: '5', finalizers: [slow] })
    await this.#started('low')
    this.#gang('waiting', 5, { cpu: '6' })
    this.#gang('misspelt', 1, { cpu: '1' }, { 'muster.dev/preemption-policy': 'Sometimes' })
    this.#gang('vanishing', 4, { cpu: '6', priority: 'urgent' })
    // All of them: who is evicted later leaves because its gang is ended, and not for the one that has gone.
    for (const name of ['low-0', 'low-1', 'low-2', 'low-3'])
      await this.#line(/^evicted a pod for a gang$/, line => isOf('vanishing')(line) && line.pod === `default/${name}`)
    this.#delete('vanishing')
    await this.#line(/^withdrew a plan$/, isOf('vanishing'))
    this.#release('low')
    this.#gang('next', 4, { cpu: '5' })
    await this.#started('next')
    this.#gang('urgent', 4, { cpu: '6', priority: 'urgent' })
    await this.#started('urgent')
  }

  /** A small gang comes, starts and goes. */
  async round(): Promise<void> {
    const name = `small-${this.#round++}`
    this.#gang(name, 3, { cpu: '100m' })
    await this.#started(name)
    this.#delete(name)
  }

  #started(gang: string): Promise<Line> {
    return this.#line(/^started a gang$/, isOf(gang))
  }

  #gang(name: string, size: number, member: Member, more: Readonly<Record<string, string>> = {}): void {
    for (let index = 0; index < size; index++) {
      const annotations = { 'muster.dev/gang': name, 'muster.dev/min-member': String(size), ...more }
      this.#client.create('pods', podOf(`${name}-${index}`, member, annotations))
    }
  }

  #delete(gang: string): void {
    for (const pod of this.#pods(gang)) this.#client.delete(pod)
  }

  /** They may go now. */
  #release(gang: string): void {
    for (const pod of this.#pods(gang)) this.#client.patch(pod, { metadata: { finalizers: null } }, { type: 'merge' })
  }

  #pods(gang: string) {
    const { items } = this.#client.list('pods', { namespace: 'default' })
    const names = items.map(({ metadata }) => metadata.name).filter(name => name.startsWith(`${gang}-`))
    return names.map(name => ({ resource: 'pods', namespace: 'default', name }))
  }
}

const isOf =
  (name: string) =>
  ({ gang }: Line): boolean =>
    gang?.endsWith(`/${name}`) === true || gang === name

function podOf(name: string, { cpu, priority, finalizers }: Member, annotations: Readonly<Record<string, string>>) {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { namespace: 'default', name, annotations, ...(finalizers && { finalizers }) },
    spec: {
      ...{ schedulerName: 'muster', schedulingGates: [{ name: 'muster.dev/gang' }] },
      ...(priority !== undefined && { priorityClassName: priority }),
      containers: [{ name: 'main', image: 'none', resources: { requests: { cpu } } }]
    }
  }
}

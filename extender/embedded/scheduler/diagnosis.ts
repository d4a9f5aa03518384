/** Why a node did not take a pod. */
export type NodeStatus = {
  readonly code: 'Unschedulable' | 'UnschedulableAndUnresolvable' | 'Error'
  readonly reasons: readonly string[]
}

/** The name under which upstream remembers that an extender said no. */
export const extenderPlugin = 'Extender'

/** What one scheduling cycle has learned; the condition's text and the way back into the queue come from it. */
export class Diagnosis {
  /** Nodes that refused, by name. Those absent are unresolvable. */
  readonly statuses = new Map<string, NodeStatus>()
  /** The plugins that refused some node: their events wake the pod. */
  readonly plugins = new Set<string>()
  /** The reason of the nodes that nothing else is known of. */
  absentReason: string | undefined
  /** What preemption had to say. */
  postFilter = ''

  refuse(node: string, status: NodeStatus, plugin?: string): void {
    this.statuses.set(node, status)
    if (plugin !== undefined) this.plugins.add(plugin)
  }

  codeOf(node: string): NodeStatus['code'] {
    return this.statuses.get(node)?.code ?? 'UnschedulableAndUnresolvable'
  }

  /** As upstream's `FitError`: equal reasons counted, in the order of their texts. */
  message(nodes: number): string {
    const counts = new Map<string, number>()
    const count = (reason: string, by: number): unknown => counts.set(reason, (counts.get(reason) ?? 0) + by)
    for (const { reasons } of this.statuses.values()) for (const reason of reasons) count(reason, 1)
    if (this.absentReason !== undefined && this.statuses.size < nodes)
      count(this.absentReason, nodes - this.statuses.size)
    const lines = [...counts].map(([reason, times]) => `${times} ${reason}`).toSorted()
    const filters = lines.length > 0 ? ` ${lines.join(', ')}.` : ''
    return `0/${nodes} nodes are available:${filters}${this.postFilter && ` ${this.postFilter}`}`
  }
}

/** No node takes the pod; it waits for something to change. */
export type Rejection = { readonly kind: 'rejected'; readonly message: string; readonly plugins: ReadonlySet<string> }

/** Something broke; the pod is tried again after a while, whatever happens. */
export type Failure = { readonly kind: 'failed'; readonly message: string }

/** One way in which muster could be wrong: a text of one of its files that becomes another. */
export type Mutant = {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

const gangs = 'extender/gangs'
const kubernetes = 'extender/kubernetes'

/** What the simulation must notice. Each of them is a defect that somebody could write on a bad day. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a binding without the uid as precondition',
    file: `${kubernetes}/bind-attempt.ts`,
    from: 'metadata: { name, namespace, uid, annotations }',
    to: 'metadata: { name, namespace, annotations }'
  },
  {
    name: 'an eviction without the uid as precondition',
    file: `${kubernetes}/evictor.ts`,
    from: 'deleteOptions: { preconditions: { uid } }',
    to: 'deleteOptions: {}'
  },
  {
    name: 'a deleted member keeps its hold',
    file: `${gangs}/keeper.ts`,
    from: '      ledger.releaseMember(uid)\n      barrier.leave(gang.key, uid,',
    to: '      barrier.leave(gang.key, uid,'
  },
  {
    name: 'a gang that is gone keeps its hold',
    file: `${gangs}/keeper.ts`,
    from: "    this.withdraw(key, 'all its members are gone')\n",
    to: ''
  },
  {
    name: 'the barrier opens one member too early',
    file: `${gangs}/membership/quorum.ts`,
    from: 'return missing(gang, also).length === 0',
    to: 'return missing({ ...gang, minMember: gang.minMember - 1 }, also).length === 0'
  },
  {
    name: 'the barrier opens at once',
    file: `${gangs}/effects/commit.ts`,
    from: 'if (!(hold.firm && placed(gang) > 0) && !isWhole(gang, waiting)) return',
    to: ''
  },
  {
    name: 'the others are bound beside the first',
    file: `${gangs}/effects/commit.ts`,
    from: 'if (!(await first.bound)) return',
    to: 'if (first.started && !(await first.bound)) return'
  },
  {
    name: 'the first binding carries no plan',
    file: `${gangs}/effects/commit.ts`,
    from: 'this.#write(hold, call, recordOf(hold))',
    to: 'this.#write(hold, call, {})'
  },
  {
    name: 'a lost answer is a failure',
    file: `${kubernetes}/bind-attempt.ts`,
    from: 'return wasNotSent(error) ? { retryAfterMs: 0 } : this.#lost()',
    to: "return { outcome: 'late', message: 'lost' }"
  },
  {
    name: 'a conflict is success',
    file: `${kubernetes}/bind-attempt.ts`,
    from: '      this.#mustLook = true\n      return this.#look()',
    to: "      return { outcome: 'bound' }"
  },
  {
    name: 'a binding is tried after its deadline',
    file: `${kubernetes}/binder.ts`,
    from: 'return !limits.signal?.aborted && this.#left(limits) > (this.#options.reserveMs ?? 50)',
    to: 'return !limits.signal?.aborted'
  },
  {
    name: 'a binding is tried though kube-scheduler has hung up',
    file: `${kubernetes}/binder.ts`,
    from: 'return !limits.signal?.aborted && this.#left(limits)',
    to: 'return this.#left(limits)'
  },
  {
    name: 'nothing is left of the patience of kube-scheduler',
    file: `${gangs}/gangs.ts`,
    from: 'deadline: asked + bindTimeoutMs - writeMarginMs',
    to: 'deadline: asked + bindTimeoutMs'
  },
  {
    name: 'a life whose term is over goes on writing',
    file: `${gangs}/lives/life.ts`,
    from: 'this.#term !== undefined && this.#parts.tenure.term() === this.#term',
    to: 'this.#term !== undefined'
  },
  {
    name: 'victims are deleted and not evicted',
    file: `${kubernetes}/evictor.ts`,
    from: "      method: 'POST',\n      path: `${podPath(ref)}/eviction`,",
    to: "      method: 'DELETE',\n      path: podPath(ref),"
  },
  {
    name: 'equals are evicted',
    file: `${gangs}/planning/bodies.ts`,
    from: 'pods.filter(pod => outranks(rank, rankOf(pod)))',
    to: 'pods.filter(pod => !outranks(rankOf(pod), rank))'
  },
  {
    name: 'members are nominated before their victims have left',
    file: `${gangs}/ledger.ts`,
    from: 'return found && found.hold.leavers.size === 0 ? found : undefined',
    to: 'return found'
  },
  {
    name: 'room that is held for others counts as free',
    file: `${gangs}/planning/rooms.ts`,
    from: 'ledger.claims(hold => hold.gang !== gang.key && which(hold))',
    to: 'ledger.claims(() => false)'
  },
  {
    name: 'only pods that run take room',
    file: 'extender/state.ts',
    from: 'if (node === undefined || isDone(pod)) return',
    to: "if (node === undefined || pod.phase !== 'Running') return"
  },
  {
    name: 'our own bindings are not overlaid',
    file: 'extender/state.ts',
    from: '    this.#assumed.set(pod.uid, node)\n',
    to: ''
  },
  {
    name: 'a list that is older than what was seen is believed',
    file: `${kubernetes}/reflector.ts`,
    from: 'this.#version !== undefined && isOlder(end.resourceVersion, this.#version)',
    to: 'false'
  },
  {
    name: 'a version that is too old is asked for again',
    file: `${kubernetes}/reflector.ts`,
    from: "      case 'expired':\n        this.#mustList = true\n",
    to: "      case 'expired':\n"
  },
  {
    name: 'members are let go before their nominations are seen',
    file: `${gangs}/effects/reconciler.ts`,
    from: 'if (gated.length > 0 && gated.every(isShown))',
    to: 'if (gated.length > 0)'
  },
  {
    name: 'a write to a pod that is gone is made again at once',
    file: `${gangs}/effects/reconciler.ts`,
    from: "else if (result.outcome === 'done' || result.outcome === 'refused')",
    to: "else if (result.outcome !== 'failed')"
  },
  {
    name: 'nominations of plans that were given up stay',
    file: `${gangs}/effects/reconciler.ts`,
    from: 'if (pod.nominatedNodeName === node) return\n    const track',
    to: 'if (pod.nominatedNodeName === node || node === undefined) return\n    const track'
  },
  {
    name: 'one victim that has not left yet is not waited for',
    file: `${gangs}/ledger.ts`,
    from: 'const found = this.of(uid)\n    return found && found.hold.leavers.size === 0',
    to: 'const found = this.of(uid)\n    return found && found.hold.leavers.size <= 1'
  },
  {
    name: 'what has begun is not held firmly',
    file: `${gangs}/effects/commit.ts`,
    from: '    ledger.setFirm(key, true)\n',
    to: ''
  },
  {
    name: 'a watch that tells nothing is trusted',
    file: `${kubernetes}/reflector.ts`,
    from: 'const { api, clock, path, idleMs = usualIdleMs } = this.#options',
    to: 'const { api, clock, path, idleMs = 2 ** 40 } = this.#options'
  },
  {
    name: 'a new life takes nothing over',
    file: `${gangs}/coordinator.ts`,
    from: 'const former = gang && formerPlan(gang)',
    to: 'const former = gang && formerPlan({ ...gang, members: [] })'
  },
  {
    name: 'gangs of one name are one gang, whatever their namespaces',
    file: `${gangs}/membership/dialects.ts`,
    from: 'key: `${pod.namespace}/${row.dialect}/${named.id}`',
    to: 'key: `all/${row.dialect}/${named.id}`'
  }
]

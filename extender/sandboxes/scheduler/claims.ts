import { LRUCache } from 'lru-cache'
import { type Claim, claimOf } from './claim.ts'
import { type PodFacts, podFactsOf } from './pod-facts.ts'
import type { Follower, Following, Json, Kubernetes, Log } from './ports.ts'
import { isOlder } from './version.ts'

const remembered = 10_000

/** Told that something about the sandbox of that id may have changed; a claim that is gone comes with it. */
export type Told = (id: string, gone?: Claim) => void

/** All sandboxes that are there, as the API server tells of them, with what this process has just written. */
export class Claims {
  readonly #log: Log
  readonly #claims = new Map<string, Claim>()
  /** By sandbox and uid: of one id there may be the pod of a predecessor, too. */
  readonly #pods = new Map<string, Map<string, PodFacts>>()
  readonly #last = new Map<string, PodFacts>()
  /** Those that the server has told of: only of them it can tell that they are gone. */
  readonly #followed = new Set<string>()
  #following: { readonly services: Following; readonly pods: Following } | undefined
  /** Uids of those that went, so that what is told of them late does not bring them back. */
  readonly #gone = new LRUCache<string, true>({ max: remembered })
  #podsListed = false
  #told: Told = () => {}

  constructor(log: Log) {
    this.#log = log
  }

  /** Follows the API server from now on; `told` hears of every change. The pods are told to somebody else, too. */
  follow(kubernetes: Kubernetes, told: Told, alsoPods: Follower): void {
    this.#told = told
    const services = kubernetes.follow('services', this.#services())
    this.#following = { services, pods: kubernetes.follow('pods', both(alsoPods, this.#podFollower())) }
  }

  get listed(): { readonly services: boolean; readonly pods: boolean } {
    return { services: this.#following?.services.synced ?? false, pods: this.#podsListed }
  }

  async stop(): Promise<void> {
    await Promise.all([this.#following?.services.stop(), this.#following?.pods.stop()])
  }

  get(id: string): Claim | undefined {
    return this.#claims.get(id)
  }

  /** By id, so that pages are stable. */
  all(): readonly Claim[] {
    return [...this.#claims.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** The pod of a claim; one that is recorded, or the one that belongs to it. */
  podOf({ id, uid, pod }: Claim): PodFacts | undefined {
    const pods = this.#pods.get(id)
    if (pod) return pods?.get(pod.uid)
    return pods?.values().find(({ owner }) => owner === uid)
  }

  /** All pods that were made for a claim, the recorded one among them. */
  podsOf({ id, uid }: Claim): readonly PodFacts[] {
    return [...(this.#pods.get(id)?.values() ?? [])].filter(({ owner }) => owner === uid)
  }

  /** What was last seen of a claim's pod, be it gone or not. */
  lastOf({ uid }: Claim): PodFacts | undefined {
    return this.#last.get(uid)
  }

  /** Something newer about a claim, from wherever. */
  put(claim: Claim): void {
    if (this.#gone.has(claim.uid)) return
    const known = this.#claims.get(claim.id)
    // Versions count across generations: a late word about a predecessor does not displace its successor.
    if (known && isOlder(claim.version, known.version)) return
    if (known && known.uid !== claim.uid) this.drop(known.id, known.uid)
    this.#claims.set(claim.id, claim)
    this.#told(claim.id)
  }

  /** The claim of that uid is not there any more. */
  drop(id: string, uid: string): void {
    const known = this.#claims.get(id)
    if (known?.uid !== uid) return
    this.#forget(known)
    this.#told(id, known)
  }

  /** Something newer about a pod, from wherever. */
  putPod(pod: PodFacts): void {
    // The answer to a write may come after what happened next, be it the end.
    if (isOlder(pod.version, this.#knownOf(pod)?.version ?? '')) return
    const pods = this.#pods.get(pod.id) ?? new Map<string, PodFacts>()
    this.#pods.set(pod.id, pods.set(pod.uid, pod))
    this.#remember(pod)
    this.#told(pod.id)
  }

  /** When it became ready is remembered, whatever becomes of it. */
  #remember(pod: PodFacts): void {
    const claim = this.#claims.get(pod.id)
    if (claim?.uid !== pod.owner || (claim.pod && claim.pod.uid !== pod.uid)) return
    const last = this.#last.get(pod.owner)
    const readyAt = pod.readyAt ?? (last?.uid === pod.uid ? last.readyAt : undefined)
    this.#last.set(pod.owner, { ...pod, readyAt })
  }

  #knownOf({ id, uid, owner }: PodFacts): PodFacts | undefined {
    const last = this.#last.get(owner)
    return this.#pods.get(id)?.get(uid) ?? (last?.uid === uid ? last : undefined)
  }

  dropPod({ id, uid }: Pick<PodFacts, 'id' | 'uid'>): void {
    const pods = this.#pods.get(id)
    if (!pods?.delete(uid)) return
    if (pods.size === 0) this.#pods.delete(id)
    this.#told(id)
  }

  #forget(claim: Claim): void {
    this.#claims.delete(claim.id)
    this.#gone.set(claim.uid, true)
    this.#followed.delete(claim.uid)
    this.#last.delete(claim.uid)
  }

  #services(): Follower {
    const put = (json: Json): string | undefined => {
      const claim = claimOf(json)
      if (claim === undefined) {
        this.#log.warn({}, 'A Service with our label is no claim of ours; it is left alone')
        return undefined
      }
      this.#followed.add(claim.uid)
      this.put(claim)
      return claim.uid
    }
    return {
      replace: objects => {
        const listed = new Set(objects.map(put))
        for (const { id, uid } of this.all()) if (this.#followed.has(uid) && !listed.has(uid)) this.drop(id, uid)
      },
      apply: (type, json) => {
        if (type !== 'DELETED') return void put(json)
        const claim = claimOf(json)
        if (claim) this.drop(claim.id, claim.uid)
      }
    }
  }

  #podFollower(): Follower {
    return {
      replace: objects => {
        const pods = objects.map(podFactsOf).filter(pod => pod !== undefined)
        const listed = new Set(pods.map(({ uid }) => uid))
        for (const known of [...this.#pods.values()].flatMap(each => [...each.values()]))
          if (!listed.has(known.uid)) this.dropPod(known)
        for (const pod of pods) this.putPod(pod)
        // Only now it is known of a claim that it has no pod.
        this.#podsListed = true
        for (const id of this.#claims.keys()) this.#told(id)
      },
      apply: (type, json) => {
        const pod = podFactsOf(json)
        if (pod === undefined) return
        // What a deleted pod was at its end says why it went.
        this.putPod(pod)
        if (type === 'DELETED') this.dropPod(pod)
      }
    }
  }
}

function both(first: Follower, second: Follower): Follower {
  return {
    replace(objects) {
      first.replace(objects)
      second.replace(objects)
    },
    apply(type, json) {
      first.apply(type, json)
      second.apply(type, json)
    }
  }
}

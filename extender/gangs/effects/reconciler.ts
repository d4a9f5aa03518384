import { gangGate, touched } from '../../../policies/names.ts'
import { pinnedNode } from '../../../policies/pin.ts'
import { nameOf } from '../../../policies/text.ts'
import type { Pod } from '../../../policies/types.ts'
import type { Clock, Random } from '../../clock.ts'
import { reasonOf } from '../../errors.ts'
import { gatedByMuster } from '../membership/dialects.ts'
import { placeable, type Gang } from '../membership/gang.ts'
import type { Log, Nominator, PinResult, Terminator, WriteResult } from '../ports.ts'
import type { Rights } from '../rights.ts'
import { Track } from './track.ts'
import type { WriteQueue } from './write-queue.ts'

/** How long the watch may take to show a write before it is made again. */
const confirmMs = 5_000

export type ReconcilerParts = {
  readonly nominator: Nominator
  readonly terminator: Pick<Terminator, 'mark'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly writes: WriteQueue
  /** The node where the pod's room is held; undefined while it is in no plan. */
  readonly plannedNode: (uid: string) => string | undefined
  /** The node that it is to be nominated for: the planned one, for some before its room is free. */
  readonly nominee: (pod: Pod) => string | undefined
  readonly epoch: () => number
  /** At the barrier, or being bound: kube-scheduler has the pod on its node already, so a nomination would only cost a write. */
  readonly arrived: (uid: string) => boolean
  readonly rights: Rights
  readonly withdraw: (gang: string, cause: string) => void
  /** Told right before a member is let go. */
  readonly letsGo: (gang: Gang) => void
  /** Told when the API server says no to what a member needs, and not for the first time. */
  readonly hindered: (pod: Pod, gang: string, text: string) => void
  /** Look at the gang again: a write has ended, or a moment has come. */
  readonly revisit: (gang: string) => void
}

/**
 * Makes the API show what is planned: nominate, ungate together, clear; or pin together, where a gang asks for that.
 * Level-triggered: it compares what is wanted with what was observed, as often as it is asked; others may set and
 * erase nominations at any time.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts
  readonly #tracks = new Map<string, Track>()

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
  }

  /** Starts whatever writes the gang needs now. */
  reconcile(gang: Gang): void {
    const { plannedNode } = this.#parts
    const members = placeable(gang)
    for (const pod of members) this.#nominate(gang, pod)
    // Together: a gated member is let go only once every planned member's nomination was seen, if it is to have one.
    const gated = members.filter(pod => gatedByMuster(pod) && plannedNode(pod.uid) !== undefined)
    const isShown = (pod: Pod): boolean => this.#pins(gang, pod) || pod.nominatedNodeName === plannedNode(pod.uid)
    if (gated.length > 0 && gated.every(isShown)) for (const pod of gated) this.#letGo(gang, pod)
    else for (const pod of members.filter(gatedByMuster)) this.#touch(gang.key, pod)
  }

  /** Every version of the pod that the watch shows passes here, so that no short-lived nomination is overlooked. */
  observe(pod: Pod): void {
    const written = this.#tracks.get(pod.uid)?.written
    if (written && written.node === pod.nominatedNodeName) written.seen = true
  }

  /** The pod is gone or on its node. */
  forget(uid: string): void {
    this.#tracks.delete(uid)
  }

  /** Whether the pod's gate is being taken away, or was and the watch may still show it. */
  isLettingGo({ uid }: Pod): boolean {
    const letGoAt = this.#tracks.get(uid)?.letGoAt
    return letGoAt !== undefined && this.#parts.clock.now() - letGoAt < confirmMs
  }

  /** Whether it is let go by a pin, without a nomination. */
  #pins({ pin }: Gang, pod: Pod): boolean {
    return pin && gatedByMuster(pod) && !this.#track(pod.uid).unpinnable
  }

  /**
   * No nomination is written beside a pin, which leads there as well; one that leads elsewhere is cleared. Room that
   * others have still to leave may be kept by one: there is no pin before it is free.
   */
  #nominee(gang: Gang, pod: Pod): string | undefined {
    const node = this.#parts.nominee(pod)
    const isPinned = this.#pins(gang, pod) || (gang.pin && pinnedNode(pod) !== undefined)
    const isFree = node === this.#parts.plannedNode(pod.uid)
    return isPinned && isFree && pod.nominatedNodeName !== node ? undefined : node
  }

  #nominate(gang: Gang, pod: Pod): void {
    const node = this.#nominee(gang, pod)
    if (pod.nominatedNodeName === node) return
    const track = this.#track(pod.uid)
    if (track.writing || this.#parts.arrived(pod.uid) || this.#mustWait(gang.key, track, node)) return
    const isStale = (): boolean => this.#nominee(gang, pod) !== node
    this.#write(gang.key, pod, isStale, async () => {
      const result = await this.#parts.nominator.nominate(pod, node)
      if (result.outcome === 'done') track.written = { node, at: this.#parts.clock.now(), seen: false }
      if (result.outcome === 'failed' && node !== undefined && track.setbacks > 0)
        this.#parts.hindered(pod, gang.key, `could not be nominated for node ${node}: ${result.message}`)
      return result
    })
  }

  /** Whether this nomination was written and is not seen yet, or was undone too often to be written again at once. */
  #mustWait(gang: string, track: Track, node: string | undefined): boolean {
    const now = this.#parts.clock.now()
    const same = track.written?.node === node ? track.written : undefined
    if (same && !same.seen && now - same.at < confirmMs) return true
    // Somebody undid what we wrote: once may be a failed attempt, again and again is a fight, which must stay cheap.
    if (same?.seen) {
      same.seen = false
      this.#setBack(track)
    }
    if (now >= track.notBefore) return false
    this.#revisitIn(gang, track.notBefore - now)
    return true
  }

  #letGo(gang: Gang, pod: Pod): void {
    const { clock, nominator, plannedNode, rights, withdraw, letsGo, hindered, log } = this.#parts
    const track = this.#track(pod.uid)
    const now = clock.now()
    const node = plannedNode(pod.uid)
    if (node === undefined || track.writing || this.isLettingGo(pod) || now < track.notBefore) return
    const isStale = (): boolean => plannedNode(pod.uid) !== node
    const pins = this.#pins(gang, pod)
    this.#write(gang.key, pod, isStale, async () => {
      track.letGoAt = Number.POSITIVE_INFINITY
      letsGo(gang)
      const write = pins ? nominator.pin(pod, gangGate, node) : nominator.ungate(pod, gangGate)
      const result = await write.catch(failed)
      track.letGoAt = result.outcome === 'done' ? clock.now() : undefined
      // What cannot be let go must not hold room.
      if (result.outcome === 'failed' && result.forbidden)
        withdraw(gang.key, rights.forbidden('ungate', pod.namespace, result.message))
      else if (result.outcome === 'failed' && track.setbacks > 0)
        hindered(pod, gang.key, `could not be let go: ${result.message}`)
      if (result.outcome === 'refused') {
        track.unpinnable = true
        log.warn({ pod: nameOf(pod), node, reason: result.message }, 'could not pin a member; nominating it instead')
      }
      return result
    })
  }

  /** A kube-scheduler that came later than the nomination of a gated pod keeps no room for it until the pod changes. */
  #touch(gang: string, pod: Pod): void {
    const { nominee, terminator, epoch } = this.#parts
    const track = this.#track(pod.uid)
    const node = nominee(pod)
    const isOwn = track.written !== undefined || track.touched
    const mustWait = track.writing || this.#parts.clock.now() < track.notBefore
    if (isOwn || mustWait || node === undefined || pod.nominatedNodeName !== node) return
    this.#write(
      gang,
      pod,
      () => nominee(pod) !== node,
      async () => {
        const result = await terminator.mark(pod, touched, String(epoch()))
        track.touched = result.outcome === 'done'
        return result
      }
    )
  }

  #write(gang: string, pod: Pod, isStale: () => boolean, write: () => Promise<PinResult>): void {
    const track = this.#track(pod.uid)
    track.writing = true
    this.#parts.writes.push(async () => {
      // The plan may have changed while the write waited for its turn.
      const stale = isStale()
      const result = stale ? { outcome: 'conflict' as const } : await write().catch(failed)
      track.writing = false
      // The watch may have shown the write before its answer came; and should it never show it (a relist can swallow
      // it), the later look finds out.
      if (stale) this.#revisitIn(gang, 0)
      else if (result.outcome === 'done' || result.outcome === 'refused')
        for (const ms of [0, confirmMs]) this.#revisitIn(gang, ms)
      else this.#failed(gang, pod, result)
    })
  }

  /** A pod that is gone, or another, is believed in until the watch shows it, which may be dead without a sign. */
  #failed(gang: string, pod: Pod, result: WriteResult): void {
    const track = this.#track(pod.uid)
    if (result.outcome === 'failed')
      this.#parts.log.warn({ pod: nameOf(pod), reason: result.message }, 'a write failed; retrying')
    this.#setBack(track, result.outcome === 'failed' ? result.retryAfterMs : 0)
    this.#revisitIn(gang, track.notBefore - this.#parts.clock.now())
  }

  #setBack(track: Track, retryAfterMs = 0): void {
    track.setBack(this.#parts.clock.now(), this.#parts.random, retryAfterMs)
  }

  #revisitIn(gang: string, ms: number): void {
    this.#parts.clock.after(Math.max(0, ms), () => this.#parts.revisit(gang))
  }

  #track(uid: string): Track {
    const track = this.#tracks.get(uid) ?? new Track()
    this.#tracks.set(uid, track)
    return track
  }
}

const failed = (error: unknown): WriteResult => ({ outcome: 'failed', message: reasonOf(error) })

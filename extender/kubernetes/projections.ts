import { amountOf } from '../../policies/quantity.ts'
import type { Controller, Node, Pod, Resources, Scheduled, Taint } from '../../policies/types.ts'
import { Made, StringTable } from './intern.ts'
import { isInTree, repelsOthers } from './in-tree.ts'
import { isManaged } from './managed.ts'
import { integer, type Json, object, objects, text } from '../json.ts'
import { ShapeTable } from './shapes.ts'

/** What a controller wants: how many pods at a time; undefined where it does not say. */
export type ControllerSize = { readonly uid: string; readonly kind: string; readonly size: number | undefined }

export type ControllerKind = 'ReplicaSet' | 'StatefulSet' | 'ReplicationController' | 'Job'

export type ProjectorOptions = {
  /** Annotations of pods that some dialect or policy reads. Labels are all kept: disruption budgets select by any. */
  readonly keepAnnotation?: (key: string) => boolean
}

const phases = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const
/** What the API server makes of an absent grace period. */
const usualGraceSeconds = 30
const always = (): boolean => true
const nothing: readonly never[] = Object.freeze([])
const none: ReadonlyMap<string, string> = new Map()

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : nothing
}

/** Our own keys and the two plain ones; the rest is dropped at the door. */
function keepOwnKeys(key: string): boolean {
  return key.startsWith('muster.dev/') || key === 'pod-group' || key === 'priority'
}

/**
 * Makes the planner's words from API objects. One per process: what pods have in common is stored once.
 * Each method throws where the object has no identity; all else that is wrong reads as absent.
 */
export class Projector {
  readonly #strings = new StringTable()
  readonly #shapes = new ShapeTable()
  readonly #labels = new Made((json: Json) => this.#strings.map(json, always))
  readonly #annotations: Made<Json, ReadonlyMap<string, string>>
  readonly #controllers = new Made((owners: readonly unknown[]) => this.#controllerOf(owners))
  readonly #scheduled = new Made((conditions: readonly unknown[]) => this.#scheduledOf(conditions))

  constructor({ keepAnnotation = keepOwnKeys }: ProjectorOptions = {}) {
    this.#annotations = new Made(json => this.#strings.map(json, keepAnnotation))
  }

  readonly pod = (json: Json): Pod => {
    const metadata = object(json.metadata)
    const spec = object(json.spec)
    const status = object(json.status)
    return {
      uid: required(metadata, 'uid'),
      namespace: this.#strings.one(required(metadata, 'namespace')),
      name: required(metadata, 'name'),
      schedulerName: this.#strings.one(text(spec.schedulerName) ?? 'default-scheduler'),
      priority: integer(spec.priority) ?? 0,
      createdAt: millis(metadata.creationTimestamp) ?? 0,
      phase: phases.find(phase => phase === (text(status.phase) ?? 'Pending')) ?? 'Unknown',
      terminating: text(metadata.deletionTimestamp) !== undefined,
      leavesBy: millis(metadata.deletionTimestamp),
      startedAt: millis(status.startTime),
      graceMs: (integer(spec.terminationGracePeriodSeconds) ?? usualGraceSeconds) * 1000,
      preempts: spec.preemptionPolicy !== 'Never',
      gates: this.#gates(spec),
      nodeName: this.#optional(spec.nodeName),
      nominatedNodeName: this.#optional(status.nominatedNodeName),
      scheduled: this.#scheduled.of(listOf(status.conditions)),
      native: isNative(spec),
      inTree: isInTree(spec),
      repels: repelsOthers(spec),
      managed: isManaged(spec),
      controller: this.#controllers.of(listOf(metadata.ownerReferences)),
      labels: this.#labels.of(object(metadata.labels)) ?? none,
      annotations: this.#annotations.of(object(metadata.annotations)) ?? none,
      shape: this.#shapes.of(json)
    }
  }

  readonly node = (json: Json): Node => {
    const metadata = object(json.metadata)
    const spec = object(json.spec)
    const status = object(json.status)
    return {
      name: this.#strings.one(required(metadata, 'name')),
      uid: required(metadata, 'uid'),
      labels: this.#strings.map(object(metadata.labels), always),
      taints: objects(spec.taints).map(taint => this.#taint(taint)),
      unschedulable: spec.unschedulable === true,
      ready: (conditionOf(status.conditions, 'Ready')?.status ?? 'True') === 'True',
      allocatable: this.#amounts(object(status.allocatable))
    }
  }

  /** For the objects of one kind: lists do not say the kind of their items. */
  controller(kind: ControllerKind): (json: Json) => ControllerSize {
    return json => {
      const spec = object(json.spec)
      return {
        uid: required(object(json.metadata), 'uid'),
        kind,
        size: kind === 'Job' ? jobSize(spec) : integer(spec.replicas)
      }
    }
  }

  #optional(value: unknown): string | undefined {
    const known = text(value)
    return known === undefined ? undefined : this.#strings.one(known)
  }

  /** An amount that is no quantity is no room. */
  #amounts(json: Json): Resources {
    const amounts = new Map<string, number>()
    for (const [resource, quantity] of Object.entries(json)) {
      const amount = amountOf(resource, quantity)
      if (amount !== undefined) amounts.set(this.#strings.one(resource), amount)
    }
    return amounts
  }

  #taint(json: Json): Taint {
    const [key, value, effect] = [json.key, json.value, json.effect].map(part => this.#optional(part) ?? '')
    return { key: key ?? '', value: value ?? '', effect: effect ?? '' }
  }

  #gates(spec: Json): readonly string[] {
    const gates = objects(spec.schedulingGates)
    return gates.length === 0 ? nothing : gates.flatMap(gate => this.#optional(gate.name) ?? [])
  }

  #scheduledOf(conditions: readonly unknown[]): Scheduled | undefined {
    const condition = conditionOf(conditions, 'PodScheduled')
    if (!condition) return undefined
    const { status: state, reason, message } = condition
    return {
      status: this.#optional(state) ?? '',
      reason: this.#optional(reason) ?? '',
      message: this.#optional(message) ?? ''
    }
  }

  #controllerOf(owners: readonly unknown[]): Controller | undefined {
    const owner = objects(owners).find(reference => reference.controller === true)
    const [kind, name, uid] = [owner?.kind, owner?.name, owner?.uid].map(part => this.#optional(part))
    return kind !== undefined && name !== undefined && uid !== undefined ? { kind, name, uid } : undefined
  }
}

function required(metadata: Json, field: string): string {
  const value = text(metadata[field])
  if (value === undefined) throw new TypeError(`metadata.${field} is missing`)
  return value
}

function millis(timestamp: unknown): number | undefined {
  const parsed = Date.parse(text(timestamp) ?? '')
  return Number.isNaN(parsed) ? undefined : parsed
}

function conditionOf(conditions: unknown, type: string): Json | undefined {
  return objects(conditions).find(condition => condition.type === type)
}

/** `schedulingGroup` since 1.36, `workloadRef` in 1.35. */
function isNative(spec: Json): boolean {
  return [spec.schedulingGroup, spec.workloadRef].some(group => typeof group === 'object' && group !== null)
}

/** A job never runs more pods at a time than it has left to complete. */
function jobSize(spec: Json): number | undefined {
  const parallelism = integer(spec.parallelism)
  const completions = integer(spec.completions)
  if (parallelism === undefined || completions === undefined) return parallelism
  return Math.min(parallelism, completions)
}

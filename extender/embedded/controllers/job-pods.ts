import { type Condition, type EnvVar, type LabelSelector, type Pod, type PodTemplate, uidOf } from '../kinds.ts'
import type { KubeObject } from '../store/objects.ts'
import { podFrom } from './pods.ts'

export type Job = KubeObject & {
  readonly spec: {
    readonly completions?: number
    readonly parallelism?: number
    readonly completionMode?: 'Indexed' | 'NonIndexed'
    readonly backoffLimit?: number
    readonly activeDeadlineSeconds?: number
    readonly ttlSecondsAfterFinished?: number
    readonly suspend?: boolean
    readonly selector?: LabelSelector
    readonly template: PodTemplate
  }
  readonly status?: JobStatus
}

export type JobStatus = {
  readonly active?: number
  readonly ready?: number
  readonly terminating?: number
  readonly succeeded?: number
  readonly failed?: number
  readonly completedIndexes?: string
  readonly startTime?: string
  readonly completionTime?: string
  readonly conditions?: readonly Condition[]
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] }
}

/** Keeps a pod until its Job has counted it. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'

const indexName = 'batch.kubernetes.io/job-completion-index'

/** The labels by which a Job's pods are told from others. */
export function jobLabels(job: Job): Readonly<Record<string, string>> {
  const { name } = job.metadata
  const uid = uidOf(job)
  return {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name
  }
}

/** A pod of a Job; of an Indexed one it knows its index by annotation, label, hostname and environment. */
export function podOf(job: Job, labels: Readonly<Record<string, string>>, index?: number): Pod {
  const finalizers = [trackingFinalizer]
  if (index === undefined) return podFrom(job.spec.template, job, { labels, finalizers })
  const name = `${job.metadata.name}-${index}`
  const pod = podFrom(job.spec.template, job, {
    generateName: `${name}-`,
    labels: { ...labels, [indexName]: String(index) },
    annotations: { [indexName]: String(index) },
    finalizers
  })
  const env: EnvVar = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexName}']` } }
  }
  const { containers, initContainers, hostname = name } = pod.spec
  const withEnv = <T extends { readonly env?: readonly EnvVar[] }>(container: T): T => ({
    ...container,
    env: [...(container.env ?? []).filter(other => other.name !== env.name), env]
  })
  return {
    ...pod,
    spec: {
      ...pod.spec,
      hostname,
      containers: containers.map(withEnv),
      ...(initContainers !== undefined && { initContainers: initContainers.map(withEnv) })
    }
  }
}

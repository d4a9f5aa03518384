import type { Pod } from '../../policies/types.ts'
import { reasonOf } from '../errors.ts'
import type { PodRef, VerbParts } from './ports.ts'
import { BadRequest } from './wire.ts'

/** What a verb answers, and how it is counted. */
export type Answer = {
  readonly outcome: 'ok' | 'unschedulable' | 'error' | 'not_ready'
  readonly json: string
  /** Of whom it was asked, where that is known. */
  readonly pod?: PodRef
  /** 200 unless it says otherwise; kube-scheduler takes every other one as a failed call. */
  readonly status?: number
}

/** Why no verb decides yet. */
export const notReady = 'muster has not seen the whole cluster yet'

/** The pod of a request; throws BadRequest where it has no identity. */
export function podOf(json: Readonly<Record<string, unknown>>, { project }: VerbParts): Pod {
  try {
    return project(json)
  } catch (error) {
    throw new BadRequest(`the field Pod is no pod: ${reasonOf(error)}`)
  }
}

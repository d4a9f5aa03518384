import { toJson } from '@bufbuild/protobuf'
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt'
import { Launch, Reason, type Sandbox, SandboxSchema, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'

/** A sandbox in one line. */
export function lineOf({ id, projectId, state, launch, cluster, node }: Sandbox): string {
  const words = [`project ${projectId}`, State[state], launch === Launch.UNSPECIFIED ? '' : Launch[launch]]
  const place = [node && `on ${node}`, cluster && `in cluster ${cluster}`].filter(Boolean).join(' ')
  return `${id}  ${[...words, place].filter(Boolean).join(', ')}`
}

/** How it ended. */
export const endOf = ({ state, reason }: Sandbox): string =>
  [State[state], ...(reason === Reason.UNSPECIFIED ? [] : [Reason[reason]])].join(', ')

/** A time of day, in UTC. */
export function timeOf(time: Timestamp | undefined): string {
  return time === undefined ? 'never' : timestampDate(time).toISOString().replace(/\.\d+/, '')
}

/** All of it. */
export const jsonOf = (sandbox: Sandbox): string => JSON.stringify(toJson(SandboxSchema, sandbox), null, 2)

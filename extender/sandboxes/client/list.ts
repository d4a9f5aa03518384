import { toJson } from '@bufbuild/protobuf'
import type { Client } from '@connectrpc/connect'
import { ConnectError } from '@connectrpc/connect'
import { Launch, type Sandbox, SandboxSchema, State } from '../proto/generated/sandbox/v1/sandbox_pb.js'
import type { SchedulerService } from '../proto/generated/sandbox/v1/scheduler_pb.js'
import { timeOf } from './words.ts'

export type ListOptions = {
  readonly scheduler: Client<typeof SchedulerService>
  readonly projectId: string
  readonly tenant: string
}

/** Sandboxes as rows of a table, and as JSON. */
export type Listed = { readonly rows: readonly (readonly string[])[]; readonly json: readonly unknown[] }

const pageSize = 500
const callMs = 30_000
const head = ['ID', 'PROJECT', 'STATE', 'LAUNCH', 'NODE', 'EXPIRES']

/** All of them, page by page. */
export async function list({ scheduler, projectId, tenant }: ListOptions): Promise<Listed> {
  const all: Sandbox[] = []
  let pageToken = ''
  do {
    const page = await scheduler
      .listSandboxes({ projectId, tenant, pageSize, pageToken }, { timeoutMs: callMs })
      .catch((error: unknown) => {
        throw new Error(`the scheduler says: ${ConnectError.from(error).rawMessage}`)
      })
    all.push(...page.sandboxes)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return { rows: [head, ...all.map(row)], json: all.map(sandbox => toJson(SandboxSchema, sandbox)) }
}

function row({ id, projectId, state, launch, node, expiresAt }: Sandbox): readonly string[] {
  return [id, projectId, State[state], Launch[launch], node, timeOf(expiresAt)]
}

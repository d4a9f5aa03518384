import type { SchedulerService } from './proto/generated/sandbox/v1/scheduler_pb.js'

type Method = Exclude<keyof typeof SchedulerService.method, 'watchSandboxes'>

/** A plain route, and the call that it stands for. Names in its path are fields of the request. */
export type Route = {
  readonly verb: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly method: Method
  readonly summary: string
  readonly status: (answer: { readonly created?: boolean }) => number
}

const ok = (): number => 200

export const routes: readonly Route[] = [
  {
    ...{ verb: 'POST', path: '/v1/sandboxes', method: 'createSandbox' },
    summary: 'Makes a sandbox (201), or answers the one that the same request made (200, Idempotent-Replayed: true).',
    status: ({ created }) => (created ? 201 : 200)
  },
  { verb: 'GET', path: '/v1/sandboxes', method: 'listSandboxes', summary: 'The sandboxes, in pages.', status: ok },
  { verb: 'GET', path: '/v1/sandboxes/:id', method: 'getSandbox', summary: 'A sandbox, alive or ended.', status: ok },
  {
    ...{ verb: 'POST', path: '/v1/sandboxes/:id/retain', method: 'retainSandbox', status: ok },
    summary: 'Its end is at least a lifetime from now.'
  },
  {
    ...{ verb: 'POST', path: '/v1/sandboxes/:id/touch', method: 'touchSandbox', status: ok },
    summary: 'Somebody uses it: its idle time begins anew.'
  },
  {
    ...{ verb: 'DELETE', path: '/v1/sandboxes/:id', method: 'releaseSandbox', status: ok },
    summary: 'Ends it at once; again is the same.'
  },
  {
    ...{ verb: 'GET', path: '/v1/projects/:project_id/sandbox', method: 'getSandbox', status: ok },
    summary: "A project's own sandbox."
  },
  {
    ...{ verb: 'POST', path: '/v1/projects/:project_id/sandbox/retain', method: 'retainSandbox', status: ok },
    summary: "The end of a project's own sandbox is at least a lifetime from now."
  },
  {
    ...{ verb: 'DELETE', path: '/v1/projects/:project_id/sandbox', method: 'releaseSandbox', status: ok },
    summary: "Ends a project's own sandbox at once."
  }
]

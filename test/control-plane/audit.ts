import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One request, as the API server wrote it down. */
export type Audited = {
  readonly verb: string
  readonly group: string
  /** With its subresource, as RBAC names it. */
  readonly resource: string
  readonly code: number
  readonly uri: string
}

type Line = {
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly objectRef?: { readonly resource: string; readonly subresource?: string; readonly apiGroup?: string }
  readonly responseStatus?: { readonly code: number }
}

const logOf = (dir: string): string => join(dir, 'audit.log')

/** Writes the policy that has everything of service accounts written down; answers where it is and where that goes. */
export async function auditFiles(dir: string): Promise<{ readonly policy: string; readonly log: string }> {
  const policy = join(dir, 'audit-policy.json')
  const rules = [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }]
  await writeFile(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules }))
  return { policy, log: logOf(dir) }
}

/** What that service account, `namespace/name`, has asked so far, and how it was answered. */
export async function audited(dir: string, account: string): Promise<readonly Audited[]> {
  const user = `system:serviceaccount:${account.replace('/', ':')}`
  const lines = (await readFile(logOf(dir), 'utf8')).split('\n').slice(0, -1)
  return lines
    .map(line => JSON.parse(line) as Line)
    .flatMap(({ user: { username }, verb, requestURI: uri, objectRef, responseStatus }) => {
      if (username !== user || !objectRef || !responseStatus) return []
      const { resource, subresource, apiGroup = '' } = objectRef
      return [
        {
          verb,
          group: apiGroup,
          resource: subresource ? `${resource}/${subresource}` : resource,
          code: responseStatus.code,
          uri
        }
      ]
    })
}

import { type KubeObject, StatusError } from '../store/objects.ts'
import { record, text } from './fields.ts'
import type { User, Users } from './identity.ts'

/** Kinds that are asked and answered, and kept nowhere. */
export const reviewGroups: Readonly<Record<string, readonly string[]>> = {
  'authentication.k8s.io': ['SelfSubjectReview', 'TokenReview'],
  'authorization.k8s.io': [
    'LocalSubjectAccessReview',
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
    'SubjectAccessReview'
  ]
}

const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }

/** The kind that a plural of one of these groups names. */
export function reviewKind(group: string, plural: string): string | undefined {
  return reviewGroups[group]?.find(kind => `${kind.toLowerCase()}s` === plural)
}

/** The answer to a review: everybody may do everything. */
export function reviewed(kind: string, asked: KubeObject, { user, users }: { user: User; users: Users }): object {
  const { apiVersion, metadata, spec } = asked
  return { kind, apiVersion, metadata: { ...metadata, creationTimestamp: null }, spec, status: status() }

  function status(): object {
    switch (kind) {
      case 'SelfSubjectReview':
        return { userInfo: user }
      case 'TokenReview':
        return tokenStatus(users, text(record(spec), 'token'))
      case 'SelfSubjectRulesReview':
        return {
          resourceRules: [everything],
          nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          incomplete: false
        }
      default:
        return { allowed: true, reason: "muster's embedded cluster has no authorization" }
    }
  }
}

function tokenStatus(users: Users, token: string): object {
  const user = users.ofToken(token)
  return user ? { authenticated: true, user } : { authenticated: false, error: "the token is nobody's" }
}

/** What upstream says where an object cannot be read or listed. */
export function onlyCreated(kind: string): StatusError {
  return new StatusError(405, 'MethodNotAllowed', `${kind} can only be created: it is asked and answered at once`)
}

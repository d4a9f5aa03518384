import { gangGate } from '../../policies/names.ts'
import { type Json, object, objects, text } from '../json.ts'
import type { Operations } from '../operations.ts'

/** An admission policy that gates pods for muster, and what puts it to use. */
export type GatePolicy = { readonly name: string; readonly bindings: readonly string[] }

/** What the cluster has of them; `problem` where that could not be learnt. */
export type GatePolicies = { readonly policies: readonly GatePolicy[]; readonly problem: string | undefined }

const versions = ['v1', 'v1beta1', 'v1alpha1']

/** The mutating admission policies whose text names muster's gate, whatever they are called. */
export async function gatePolicies(operations: Pick<Operations, 'get'>): Promise<GatePolicies> {
  for (const version of versions) {
    const base = `/apis/admissionregistration.k8s.io/${version}`
    const [found, bound] = await Promise.all([
      operations.get(`${base}/mutatingadmissionpolicies`, { limit: 500 }),
      operations.get(`${base}/mutatingadmissionpolicybindings`, { limit: 500 })
    ])
    if (found.status === 404) continue
    const problem = found.problem ?? bound.problem
    if (problem !== undefined) return { policies: [], problem }
    return { policies: policiesIn(objects(found.body.items), objects(bound.body.items)), problem: undefined }
  }
  return { policies: [], problem: undefined }
}

function policiesIn(policies: readonly Json[], bindings: readonly Json[]): readonly GatePolicy[] {
  return policies
    .filter(({ spec }) => gates(object(spec).mutations))
    .map(policy => ({
      name: nameOf(policy),
      bindings: bindings.filter(({ spec }) => object(spec).policyName === nameOf(policy)).map(nameOf)
    }))
}

const nameOf = ({ metadata }: Json): string => text(object(metadata).name) ?? ''

/** The gate and the annotation share a name, so the field counts as well. */
function gates(mutations: unknown): boolean {
  const said = JSON.stringify(mutations) ?? ''
  return said.includes('schedulingGates') && said.includes(gangGate)
}

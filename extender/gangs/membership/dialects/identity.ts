import type { Pod } from '../../../../policies/types.ts'
import { type Field, firstAt, nameOf, quoted, type Said, saidAt, textAt } from './fields.ts'

/** Which gang a pod says it belongs to. */
export type Named = {
  /** Tells the gang from others of the dialect in its namespace. */
  readonly id: string
  /** As people know it. */
  readonly name: string
  /** Every place where the user named it; empty where the name was put together. */
  readonly said: readonly Said[]
  readonly problem?: string
}

/** How a dialect tells the gang of a pod; `fields` are all that it reads. */
export type Identity = { readonly fields: readonly Field[]; readonly of: (pod: Pod) => Named | undefined }

/** The text of one field. */
export const named = (field: Field): Identity => namedIn([field])

/**
 * The first of these fields; all that are present must say the same. With a separator: all of them, joined. With a
 * condition: only where the pod says that.
 */
export function namedIn(fields: readonly Field[], separator?: string, only?: Said): Identity {
  return {
    fields: only ? [...fields, only.field] : fields,
    of(pod) {
      if (only && textAt(pod, only.field) !== only.text) return undefined
      const said = saidAt(pod, fields)
      const [first] = said
      if (!first || (separator !== undefined && said.length < fields.length)) return undefined
      if (separator === undefined) return { id: first.text, name: first.text, said }
      const name = said.map(({ text }) => text).join(separator)
      return { id: name, name, said: [] }
    }
  }
}

/** The pods of one controller, where one of these fields is present. */
export function ofController(marks: readonly Field[], kind?: string): Identity {
  return {
    fields: marks,
    of(pod) {
      const { controller } = pod
      if (!controller || (kind !== undefined && controller.kind !== kind)) return undefined
      if (firstAt(pod, marks) === undefined) return undefined
      return { id: controller.uid, name: controller.name, said: [] }
    }
  }
}

type ApplicationOptions = {
  readonly applications: readonly Field[]
  /** Only where one of these is present. */
  readonly with?: readonly Field[]
  /** Only where this one is absent. */
  readonly without?: Field
}

/** The application that the pod names, where one of the marks is present. */
export function withApplication(marks: readonly Field[], options: ApplicationOptions): Identity {
  const { applications, with: needed = marks, without } = options
  return {
    fields: [...marks, ...applications, ...needed, ...(without ? [without] : [])],
    of(pod) {
      if (firstAt(pod, marks) === undefined || firstAt(pod, needed) === undefined) return undefined
      if (without && textAt(pod, without) !== undefined) return undefined
      const id = firstAt(pod, applications)
      if (id !== undefined) return { id, name: id, said: [] }
      const [mark] = saidAt(pod, marks)
      const about = mark ? `${nameOf(mark.field)} says ${quoted(mark.text)}` : ''
      return {
        id: '',
        name: '',
        said: [],
        problem: `${about}, but no label ${applications[0]?.key} names the application`
      }
    }
  }
}

/** The first of these that tells. */
export function firstOf(...identities: readonly Identity[]): Identity {
  return {
    fields: identities.flatMap(identity => identity.fields),
    of(pod) {
      for (const identity of identities) {
        const found = identity.of(pod)
        if (found) return found
      }
      return undefined
    }
  }
}

import { text } from '../../json.ts'
import type { Check } from './check.ts'
import { error, type Note, plain, unseen, warning } from './note.ts'

/** Minor versions of Kubernetes that muster's tests run on. */
const tested = [36]
/** Before this one kube-scheduler treats refused pods in another way. */
const oldest = 34

/** Whether the cluster's version is one that muster was tried with. */
export const version = {
  name: 'version',
  async look(ground): Promise<readonly Note[]> {
    const { body, problem } = await ground.get('/version')
    if (problem !== undefined) return [unseen('/version', problem)]
    const said = plain(text(body.gitVersion) ?? '')
    const minor = Number.parseInt(text(body.minor) ?? '', 10)
    const where = 'the API server'
    const trials = `muster is tested with ${tested.map(each => `1.${each}`).join(', ')}`
    if (text(body.major) === '1' && tested.includes(minor)) return [{ fact: `Kubernetes ${said}, as tested` }]
    const problemText = `it is Kubernetes ${said || 'of no version'}`
    if (minor >= oldest) {
      const why = `${trials}; others that are not older than 1.${oldest} speak the same protocol, but were not run`
      return [warning({ where, problem: problemText, why, fix: 'try it where nothing is lost, before you rely on it' })]
    }
    const fix = `a cluster of 1.${oldest} or newer`
    return [error({ where, problem: problemText, why: `${trials}, and known to work from 1.${oldest} on`, fix })]
  }
} satisfies Check

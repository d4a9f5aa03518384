import { request } from 'undici'
import { explain } from '../explain.ts'
import type { Stage } from './stage.ts'

/** Something to see of gangs, that can also be seen alone. */
export type GangDemo = {
  readonly name: string
  readonly summary: string
  run(stage: Stage): Promise<void>
}

const gangOf6 = 'gang.yaml'
const gangOf4 = 'gang-that-waits.yaml'
const urgent = 'urgent-gang.yaml'

const gang: GangDemo = {
  name: 'gang',
  summary: 'a gang of six that starts whole',
  async run(stage) {
    stage.view.say('Eight nodes with 8 cores each. Six pods come that ask for 5 cores each, as one gang:')
    await started(stage, gangOf6, { job: 'render', size: 6 })
    stage.view.say('muster chose all six nodes before it let the first pod go.')
  }
}

const explanation: GangDemo = {
  name: 'explanation',
  summary: 'a gang that does not fit is refused whole, told why, and starts when there is room',
  async run(stage) {
    const { view } = stage
    if (stage.pods('render').length === 0) await started(stage, gangOf6, { job: 'render', size: 6 })
    view.say('Two nodes are free. Four pods come that would take one each, as one gang:')
    stage.apply(gangOf4)
    await view.watch(
      () => [],
      () => stage.pods('train').length === 4,
      { tooLate: 'the job has no pods' }
    )
    await refused(stage, 'train')
    for (const { text } of stage.rows('train')) view.say(text)
    const [first] = stage.pods('train')
    view.say('Not one of them was placed. Why?')
    view.hint(`$ muster explain ${first?.name}`)
    await explain.run([first?.name ?? '', '--server', stage.muster.apiUrl])
    view.say('\nThe first gang ends, and the second one starts whole:')
    stage.deleteJob('render')
    await allRun(stage, 'train', 4)
  }
}

const preemption: GangDemo = {
  name: 'preemption',
  summary: 'a gang of higher priority takes the room of others',
  async run(stage) {
    const { view } = stage
    if (stage.pods('train').length > 0) stage.deleteJob('train')
    if (stage.pods('render').length === 0) await started(stage, gangOf6, { job: 'render', size: 6 })
    view.say('A gang of six runs, and two nodes are free. Five urgent pods come, as one gang:')
    await started(stage, urgent, { job: 'urgent', size: 5 })
    await view.watch(
      () => stage.rows('render'),
      () => stage.pods('render').every(({ state }) => state === 'gated'),
      { tooLate: 'the renderers do not wait' }
    )
    view.say(
      'muster ended the gang of lower priority, whole, and not one pod more than that. Its pods wait for their turn.'
    )
  }
}

/** In the order in which they are shown. */
export const gangDemos: readonly GangDemo[] = [gang, explanation, preemption]

async function started(
  stage: Stage,
  file: string,
  { job, size }: { readonly job: string; readonly size: number }
): Promise<void> {
  stage.apply(file)
  await allRun(stage, job, size)
}

async function allRun(stage: Stage, job: string, size: number): Promise<void> {
  const isRunning = (): boolean => stage.pods(job).filter(({ state }) => state === 'Running').length === size
  await stage.view.watch(() => stage.rows(job), isRunning, { tooLate: `the ${size} pods of ${job} do not run` })
}

/** Until muster says that the gang waits for room. */
async function refused({ view, muster }: Stage, name: string): Promise<void> {
  let state = ''
  const ask = async (): Promise<void> => {
    const { body } = await request(`${muster.apiUrl}/gangs/${name}?namespace=default`)
    state = ((await body.json()) as { readonly state?: string }).state ?? ''
  }
  const isOver = (): boolean => {
    ask().catch(() => {})
    return state === 'waiting'
  }
  await view.watch(() => [], isOver, { tooLate: `muster does not say that ${name} waits` })
}

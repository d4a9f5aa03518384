/** `npm run demo`: one gang that starts together and one that is refused with its reason, on the real kube-scheduler. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { buildTools, type Tools } from './build.ts'
import { Lab } from './lab.ts'
import { gangs, muster } from './muster.ts'
import { isBound } from './objects.ts'

const run = promisify(execFile)
const say = (line: string) => console.log(line)

const tools = await buildTools()
if (tools.kind === 'absent') {
  console.error(`the demo needs a control plane of its own: ${tools.reason}`)
  process.exitCode = 1
} else {
  await demo(tools)
}

async function demo(tools: Tools): Promise<void> {
  say('Starting etcd, kube-apiserver, a stock kube-scheduler, kwok and muster …')
  const lab = await Lab.open(tools)
  try {
    await lab.start()
    await lab.createNodes('node', 8)
    say('\n8 nodes, each with room for one pod. A gang of 6 comes:\n')
    await lab.createGang('default', { name: 'render', size: 6, gated: true })
    const bound = () => lab.podsIn('default', 'render').filter(isBound).length
    await lab.waitFor('the gang of 6 is bound', () => bound() === 6)
    say(await kubectl(lab, tools, 'get', 'pods', '-o', 'wide'))
    say('A gang of 4 comes; two nodes are left, so none of it starts:\n')
    await lab.createGang('default', { name: 'train', size: 4, gated: true })
    await lab.until('the gang of 4 waits', async () =>
      (await gangs(lab.muster)).some(gang => gang.name === 'train' && gang.state === 'waiting')
    )
    say(await kubectl(lab, tools, 'get', 'pods', '-o', 'wide'))
    say('Why? $ muster explain train-0\n')
    say(await muster('explain', 'train-0', '--server', lab.muster.apiUrl))
  } finally {
    await lab.close()
  }
}

async function kubectl(lab: Lab, tools: Tools, ...args: readonly string[]): Promise<string> {
  const kubeconfig = await lab.cluster.kubeconfig('admin')
  const { stdout } = await run(tools.path('kubectl'), ['--kubeconfig', kubeconfig, ...args])
  return stdout
}

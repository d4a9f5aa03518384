import { execFile } from 'node:child_process'
import { chmodSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { embeddedGround } from './ground.ts'
import { scenarios } from './scenarios.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

const played: Readonly<Record<string, string>> = {
  'S2.9 S2.16 a pod that somebody creates is scheduled, confirmed and cleared away': 'basic',
  'S2.17 pods of low priority run; one of higher priority comes, and one of them is evicted': 'priority',
  'S2.18 S2.19 a gang that fits is scheduled, one that must not be is not': 'group'
}

t.test('S3.62 the integration tests, on the embedded cluster', async t => {
  const ground = await embeddedGround()
  t.teardown(() => ground.close())
  t.equal(ground.name, 'the embedded cluster')
  for (const [title, name] of Object.entries(played)) {
    const said: string[] = []
    await scenarios[name]?.(ground, line => said.push(line))
    t.ok(said.length > 0, title)
  }
})

t.test('without a known name they say which there are', async t => {
  const main = join(import.meta.dirname, 'main.ts')
  await t.rejects(run(process.execPath, [main, 'nonsense']), {
    code: 2,
    stderr: 'integration: name one or more of basic, priority, group\n'
  })
})

const targets: Record<string, { readonly args: readonly string[]; readonly want: RegExp }> = {
  'S2.12 make setup': { args: ['setup'], want: /^npm ci$/m },
  'make coverage': { args: ['coverage'], want: /^npm run coverage$/m },
  'S2.13 S3.37 make start-minikube': {
    args: ['start-minikube', 'PROFILE=custom-scheduler-demo'],
    want: /^minikube start --nodes 3 -p custom-scheduler-demo$/m
  },
  'S2.14 make deploy-scheduler': {
    args: ['deploy-scheduler'],
    want: /^\.\/setup\.sh kube-system custom-scheduler:latest/m
  },
  'S2.15 S2.27 make remove-scheduler': { args: ['remove-scheduler'], want: /^\.\/setup\.sh --remove kube-system/m }
}
t.test('make', async t => {
  for (const [name, { args, want }] of Object.entries(targets)) {
    const { stdout } = await run('make', ['-n', '-C', root, ...args])
    t.match(stdout, want, name)
  }
})

t.test('S2.4 make lists its targets', async t => {
  const { stdout } = await run('make', ['-C', root])
  for (const target of ['setup', 'build', 'test', 'deploy-scheduler', 'group-integration-test'])
    t.match(stdout, new RegExp(`^${target} +\\S`, 'm'))
})

/** Runs setup.sh with stand-ins for the programs of that host that only say what they were asked. */
async function setup(t: Test, programs: readonly string[], ...args: readonly string[]) {
  const dir = t.testdir({})
  for (const program of programs) {
    writeFileSync(
      join(dir, program),
      `#!/bin/sh\necho "${program} $*" >> "${dir}/log"\n[ "$2" != kustomize ] || true\n`
    )
    chmodSync(join(dir, program), 0o755)
  }
  // Nothing else of this host: it may have Docker, or not.
  for (const tool of ['bash', 'sh', 'sed', 'grep', 'dirname'])
    symlinkSync(realpathSync((await run('which', [tool])).stdout.trim()), join(dir, tool))
  const env = { PATH: dir, HOME: dir }
  const { stdout } = await run('/bin/bash', [join(root, 'setup.sh'), ...args], { env })
  const log = await run('cat', [join(dir, 'log')]).then(
    ({ stdout: text }) => text,
    () => ''
  )
  return { stdout, log }
}

t.test('S3.38 S3.41 S3.42 setup.sh builds, installs into kube-system and waits', async t => {
  const { log } = await setup(t, ['docker', 'kubectl'])
  t.match(log, /docker build -t custom-scheduler:latest \./)
  t.match(log, /kubectl kustomize manifests\/custom-scheduler/)
  t.match(log, /kubectl apply -f -/)
  t.match(log, /kubectl -n kube-system rollout status deployment\/custom-scheduler --timeout=180s/)
})

t.test('S3.39 S3.43 S3.44 setup.sh takes namespace, image and profile', async t => {
  const { log } = await setup(
    t,
    ['docker', 'kubectl', 'minikube'],
    'elsewhere',
    'custom-scheduler:v1.0',
    'custom-scheduler-demo'
  )
  t.match(log, /docker build -t custom-scheduler:v1\.0 \./)
  t.match(log, /minikube image load custom-scheduler:v1\.0 -p custom-scheduler-demo/)
  t.match(log, /kubectl --context custom-scheduler-demo -n elsewhere rollout status/)
})

t.test('S3.80 setup.sh builds with Podman where there is no Docker', async t => {
  const { log } = await setup(t, ['podman', 'kubectl'])
  t.match(log, /podman build -t custom-scheduler:latest \./)
})

t.test('setup.sh --dry-run does nothing and says all of it, on a host without anything', async t => {
  const { stdout, log } = await setup(t, [], '--dry-run', 'my-namespace')
  t.equal(log, '')
  t.match(stdout, /\+ docker build -t custom-scheduler:latest \./)
  t.match(stdout, /\+ kubectl {2}-n my-namespace rollout status|\+ kubectl -n my-namespace rollout status/)
})

t.test('what is wrong with its words is one sentence', async t => {
  const cases: Record<string, string> = {
    '--nope': 'setup.sh: unknown option --nope; see --help\n',
    Not_A_Name: 'setup.sh: Not_A_Name is no name of a namespace\n'
  }
  for (const [word, stderr] of Object.entries(cases)) await t.rejects(setup(t, [], word), { code: 2, stderr })
  await t.rejects(setup(t, []), { code: 1, stderr: 'setup.sh: needs one of: kubectl\n' })
})

import { execFile } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { moduleFor, newest, pinnedRelease } from '../control-plane/kubernetes-module.ts'
import { onKind } from './kind.ts'
import { leftOut } from './left-out.ts'
import { report } from './upstream-report.ts'

const run = promisify(execFile)
const main = join(import.meta.dirname, 'main.ts')

/** A folder with stand-ins for programs, each of which notes what it was asked and ends with `codes[its name]`. */
function standIns(t: Test, codes: Readonly<Record<string, number>>) {
  const dir = t.testdir({})
  for (const [program, code] of Object.entries(codes)) {
    const script = `#!/bin/sh\necho "${program} $*" >> "${dir}/log"\necho "no ${program} today" >&2\nexit ${code}\n`
    writeFileSync(join(dir, program), script)
    chmodSync(join(dir, program), 0o755)
  }
  symlinkSync(realpathSync('/bin/sh'), join(dir, 'sh'))
  const log = () =>
    readFileSync(join(dir, 'log'), 'utf8')
      .replaceAll(/\S+\/kubeconfig/g, 'KUBECONFIG')
      .trim()
      .split('\n')
  return { env: { PATH: dir, HOME: dir }, log }
}

const works = { docker: 0, kind: 0, kubectl: 0 }

t.test('--kind makes a cluster, builds, loads and installs muster, plays, and deletes the cluster', async t => {
  const { env, log } = standIns(t, works)
  t.equal(await onKind(async () => 3, { env, release: '1.36.1' }), 3, 'what the scenarios came to')
  t.strictSame(log().slice(3), [
    'kind create cluster --name muster-conformance --kubeconfig KUBECONFIG --config manifests/kind/cluster.yaml --image kindest/node:v1.36.1',
    'docker build -t muster:dev .',
    'kind load docker-image muster:dev --name muster-conformance',
    'kubectl --kubeconfig KUBECONFIG apply -k manifests/kind',
    'kubectl --kubeconfig KUBECONFIG -n muster-system rollout status deployment/muster --timeout=300s',
    'kind delete cluster --name muster-conformance --kubeconfig KUBECONFIG'
  ])
})

t.test('--kind deletes the cluster although the scenarios break off', async t => {
  const { env, log } = standIns(t, works)
  await t.rejects(
    onKind(() => Promise.reject(new Error('the cluster has gone')), { env }),
    { message: 'the cluster has gone' }
  )
  t.match(log().at(-1), /^kind delete cluster/)
})

const missing: Readonly<Record<string, { readonly there: Readonly<Record<string, number>>; readonly want: string }>> = {
  'without Docker': { there: {}, want: '--kind needs docker, kind, kubectl on the PATH, and there is no docker' },
  'without kind': {
    there: { docker: 0 },
    want: '--kind needs docker, kind, kubectl on the PATH, and there is no kind'
  },
  'with a Docker that does not run': {
    there: { docker: 1 },
    want: '--kind needs a docker that works, and docker info says: no docker today'
  }
}
for (const [name, { there, want }] of Object.entries(missing)) {
  t.test(`${name} --kind says so in one sentence and fails`, async t => {
    const { env } = standIns(t, there)
    const wrong = { code: 1, stderr: `conformance: ${want}\n`, stdout: '' }
    await t.rejects(run(process.execPath, [main, '--kind'], { env }), wrong)
  })
}

const wrong: Readonly<Record<string, string>> = {
  '--kind --upstream': '--kind and --upstream do not go together; give one of them',
  '--upstream flow.test.ts': '--upstream chooses what is run; leave out flow.test.ts',
  '--kubeconfig here --minor 1.35': '--kubeconfig names a cluster that runs its own Kubernetes; leave out 1.35',
  '--minor 1.35 --kubernetes 1.37.2': 'give --minor or --kubernetes, not both',
  '--minor 1.35.4': '--minor 1.35.4 is no minor version; it is written as 1.37',
  '--kubernetes 1.35': '--kubernetes 1.35 is no release; it is written as 1.37.2'
}
for (const [words, want] of Object.entries(wrong)) {
  t.test(`${words} is refused in one sentence`, async t => {
    const answer = { code: 1, stderr: `conformance: ${want}\n` }
    await t.rejects(run(process.execPath, [main, ...words.split(' ')]), answer)
  })
}

t.test('--help names every way', async t => {
  const { stdout } = await run(process.execPath, [main, '--help'])
  for (const word of ['--kubeconfig', '--kind', '--upstream', '--minor', '--kubernetes', 'TEST_CASE'])
    t.ok(stdout.includes(word), word)
})

t.test('every file of scenarios is played on any cluster or left out for a reason', async t => {
  const files = readdirSync(import.meta.dirname).filter(name => name.endsWith('.test.ts'))
  const names = files.map(name => name.replace('.test.ts', '')).toSorted()
  t.strictSame(['any-cluster', ...Object.keys(leftOut)].toSorted(), names)
})

t.test('the newest release of a minor version is that of the highest patch, and no preview', async t => {
  const versions = ['v1.35.4', 'v1.37.2', 'v1.37.10', 'v1.38.0-beta.0']
  t.equal(newest(versions, '1.37'), '1.37.10')
  t.equal(newest(versions, '1.38'), undefined)
  t.equal(newest(versions, '1.3'), undefined)
})

t.test(
  'the module of another release has our programs of Kubernetes and the staging modules of that release',
  async t => {
    const own = readFileSync(join(import.meta.dirname, '..', 'control-plane', 'go.mod'), 'utf8')
    const theirs = `module k8s.io/kubernetes

go 1.25.0

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/sample-apiserver => ./staging/src/k8s.io/sample-apiserver
)
`
    const text = moduleFor('1.35.4', own, theirs)
    t.match(text, /^go 1\.25\.0$/m)
    t.match(text, /^\tk8s\.io\/kubernetes\/cmd\/kube-scheduler$/m)
    t.match(text, /^\tk8s\.io\/kubernetes v1\.35\.4$/m)
    t.notOk(text.includes('kwok'), 'etcd and kwok are those of the pinned build')
    t.match(text, /^replace \(\n\tk8s\.io\/api => k8s\.io\/api v0\.35\.4\n\)$/m, 'no sample, nothing else')
    t.notOk(text.includes(pinnedRelease), 'nothing is left of the pinned release')
  }
)

t.test('the report of the upstream specs says what was run and what came of it', async t => {
  const text = report({
    ...{ date: '2026-11-30', release: '1.36.3', flags: ['--provider=skeleton'] },
    outcomes: [
      { name: 'b | c', state: 'failed', seconds: 2 },
      { name: 'a', state: 'passed', seconds: 1.23 }
    ],
    tally: { calls: { filter: 3, bind: 2 }, failed: 1, bound: 2, passedBy: 0 }
  })
  t.match(text, /\*\*1 of 2 passed\*\* in 3 s/)
  t.match(text, /\| a \| passed \| 1\.2 \|\n\| b \\\| c \| failed \| 2\.0 \|/)
  t.match(text, /3 filter, 2 bind; 1 of them/)
})

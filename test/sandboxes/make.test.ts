import { execFile } from 'node:child_process'
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

const targets: Record<string, { readonly args: readonly string[]; readonly want: readonly RegExp[] }> = {
  'S1.14 make docker-build': {
    args: ['docker-build'],
    want: [
      /^docker build -t muster-sandbox:latest \.$/m,
      /^docker build -t muster-mock-sandbox:latest --target mock-sandbox \.$/m
    ]
  },
  'S1.14 make docker-build with another builder and other names': {
    args: ['docker-build', 'DOCKER=podman', 'SANDBOX_IMAGE=a:1', 'MOCK_IMAGE=b:2'],
    want: [/^podman build -t a:1 \.$/m, /^podman build -t b:2 --target mock-sandbox \.$/m]
  },
  'S1.10 S1.15 make k8s-deploy': {
    args: ['k8s-deploy'],
    want: [/^kubectl apply -k manifests\/sandbox$/m, /kubectl -n sandbox rollout status/]
  },
  'S1.18 make run-scheduler': { args: ['run-scheduler', 'FLAGS=--no-redis'], want: [/^bin\/scheduler --no-redis$/m] },
  'S1.19 make run-activator': { args: ['run-activator'], want: [/^bin\/activator *$/m] },
  'make run-global': { args: ['run-global'], want: [/^bin\/global --cluster local=http:\/\/127\.0\.0\.1:50052$/m] }
}
t.test('make', async t => {
  for (const [name, { args, want }] of Object.entries(targets)) {
    const { stdout } = await run('make', ['-n', '-C', root, ...args])
    for (const line of want) t.match(stdout, line, name)
  }
})

t.test('S1.16 S1.30 make build makes a launcher for every program', async t => {
  // Somewhere else: others may be building here.
  const dir = t.testdir({})
  cpSync(join(root, 'Makefile'), join(dir, 'Makefile'))
  for (const part of ['extender', 'policies', 'node_modules', 'package.json'])
    symlinkSync(join(root, part), join(dir, part))
  const programs = ['scheduler', 'global', 'events', 'activator', 'mock-sandbox', 'demo']
  await run('make', ['-C', dir, ...programs.map(program => `bin/${program}`)])
  const planned = await run('make', ['-n', '-C', root, '-B', 'build'])
  for (const program of programs) {
    t.match(planned.stdout, new RegExp(`> bin/${program} && `), `make build makes bin/${program}`)
    const { stdout } = await run(join(dir, 'bin', program), ['--help'], { cwd: '/' })
    t.match(stdout, new RegExp(`^Usage: muster sandbox ${program === 'mock-sandbox' ? 'mock' : program} `), program)
  }
})

t.test('S1.14 the images that make builds are stages of the Dockerfile, and run what they are called', async t => {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
  const [, mock = ''] = /^FROM muster AS mock-sandbox\n([^]*?)^FROM /m.exec(dockerfile) ?? []
  t.match(mock, /ENTRYPOINT \["node", "extender\/cli\/muster\.ts", "sandbox", "mock", "--host", "0\.0\.0\.0"\]/)
  t.match(dockerfile, /^FROM muster\n*$/m, 'what is built without a target is muster')
})

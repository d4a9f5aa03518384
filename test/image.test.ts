import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { lockfile } from './lockfile.ts'

const root = join(import.meta.dirname, '..')
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
const run = promisify(execFile)

type Step = { readonly stage: string; readonly words: readonly string[] }

/** The instructions of the file, with the stage that they are in. */
function steps(): readonly Step[] {
  let stage = ''
  return dockerfile.split('\n').flatMap(line => {
    const words = line.split(/\s+/).filter(word => word !== '')
    if (words[0] === 'FROM') stage = words[3] ?? words[1] ?? ''
    return words.length === 0 || words[0]?.startsWith('#') ? [] : [{ stage, words }]
  })
}

/** All of that kind. */
const of = (word: string) => steps().filter(({ words }) => words[0] === word)
const copies = (stage: string) => steps().filter(step => step.stage === stage && step.words[0] === 'COPY')

t.test('nobody but an unprivileged user runs in the image, and nothing in it builds', async t => {
  t.strictSame(
    of('FROM').map(({ words }) => words[1]),
    ['${NODE_IMAGE}', '${NODE_IMAGE}', 'muster', 'muster'],
    'one base, by argument'
  )
  t.match(of('ARG')[0]?.words[1], /^NODE_IMAGE=docker\.io\/library\/node:24/)
  t.strictSame(
    of('USER').map(({ stage, words }) => `${stage} ${words[1]}`),
    ['muster 65532:65532']
  )
  const installs = of('RUN').filter(({ words }) => words.includes('npm'))
  t.strictSame(
    installs.map(({ stage, words }) => `${stage}: ${words.slice(1).join(' ')}`),
    ['packages: npm ci --omit=dev --ignore-scripts']
  )
  const gone = of('RUN').find(({ stage }) => stage === 'muster')?.words ?? []
  for (const tool of ['/usr/local/lib/node_modules', '/usr/local/bin/npm', '/usr/local/bin/npx'])
    t.ok(gone.includes(tool), tool)
  t.match(of('ENTRYPOINT')[0]?.words.slice(1).join(' '), '["node", "extender/cli/muster.ts"]')
})

t.test('what is copied is let through by .dockerignore, and nothing else is', async t => {
  const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1))
  const copied = ['packages', 'muster'].flatMap(copies).flatMap(({ words }) => words.slice(1, -1))
  const own = new Set(copied.filter(word => !word.startsWith('-') && !word.startsWith('/')))
  t.strictSame(
    [...own].toSorted((a, b) => a.localeCompare(b)),
    allowed.toSorted((a, b) => a.localeCompare(b))
  )
})

/** The steps as plain commands, in a new folder; undefined with the reason told where packages cannot be had. */
async function built(t: Test): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-image-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const copy = (stage: string): void => {
    for (const { words } of copies(stage)) {
      if (words[1]?.startsWith('--from')) continue
      for (const source of words.slice(1, -1)) {
        const target = join(folder, words.at(-1) === './' ? source : (words.at(-1) ?? ''))
        mkdirSync(dirname(target), { recursive: true })
        cpSync(join(root, source), target, { recursive: true })
      }
    }
  }
  copy('packages')
  const install = ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  try {
    await run('npm', install, { cwd: folder, timeout: 300_000 })
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string }
    if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED/.test(stderr)) throw error
    t.comment(`packages cannot be had here: ${stderr.split('\n')[0]}`)
    return undefined
  }
  // The result has of the first stage only what is copied from it.
  rmSync(join(folder, 'package-lock.json'))
  copy('muster')
  return folder
}

/** A program of that folder that runs until the test ends; the answer is its first line of that kind. */
async function start(t: Test, folder: string, args: readonly string[], wanted: RegExp): Promise<string> {
  const child = spawn(process.execPath, ['extender/cli/muster.ts', ...args], {
    ...{ cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] as const, env: { PATH: '/nowhere', HOME: folder } }
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let said = ''
  child.stdout.on('data', chunk => (said += String(chunk)))
  while (child.exitCode === null) {
    const found = wanted.exec(said)
    if (found) return found[1] ?? ''
    await Promise.race([once(child.stdout, 'data'), exited])
  }
  throw new Error(`it ended: ${said}`)
}

t.test('built as the Dockerfile says, it has no packages for development, and all that it needs', async t => {
  t.setTimeout(600_000)
  const folder = await built(t)
  if (folder === undefined) return
  const expected = lockfile()
    .filter(({ dev }) => !dev)
    .map(({ path }) => path)
  const installed = lockfile()
    .map(({ path }) => path)
    .filter(path => existsSync(join(folder, path)))
  t.strictSame(
    installed.filter(path => !expected.includes(path)),
    [],
    'nothing for development'
  )
  t.strictSame(
    readdirSync(folder).toSorted((a, b) => a.localeCompare(b)),
    ['extender', 'LICENSE', 'node_modules', 'package.json', 'policies']
  )
  const muster = (...args: string[]): string =>
    execFileSync(process.execPath, ['extender/cli/muster.ts', ...args], { cwd: folder, encoding: 'utf8', env: {} })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  t.equal(muster('--version'), `muster ${version}\n`)
  const help = muster('--help')
  for (const [, name = ''] of help.matchAll(/^ {2}([a-z-]+) {2,}/gm))
    t.match(muster(name, '--help'), /Usage: muster/, name)

  const kubeconfig = join(folder, 'kubeconfig')
  const apiServer = await start(
    t,
    folder,
    ['embedded', '--nodes', '2', '--simulated', '--kubeconfig', kubeconfig],
    /is up at (\S+)\. Try/
  )
  t.match(apiServer, /^https:/)
  const any = ['--listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const api = await start(
    t,
    folder,
    ['serve', '--kubeconfig', kubeconfig, ...any],
    /"url":"(http:[^"]+)","msg":"the API listens"/
  )
  const isReady = async (): Promise<boolean> => (await fetch(`${api}/readyz`)).ok
  while (!(await isReady())) await wait(50)
  t.match(await (await fetch(`${api}/metrics`)).text(), `muster_build_info{version="${version}"} 1`)
  t.strictSame(JSON.parse(muster('gangs', '--server', api, '--output', 'json')), { gangs: [] })
})

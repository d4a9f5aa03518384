import { execFileSync } from 'node:child_process'
import type { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { create, rotate, rotateAuthority } from '../../extender/cli/certs/issue.ts'
import { certificatesIn, type FileName, type Files, load, replace } from '../../extender/cli/certs/store.ts'
import { muster } from './run.ts'

const now = Date.parse('2026-03-04T05:06:07Z')
const day = 86_400_000
const wish = { hosts: ['muster.example.com', '127.0.0.1', '::1'], clientName: 'system:kube-scheduler', days: 30 }

const all = (files: Files, name: FileName): readonly X509Certificate[] => certificatesIn(files[name], name)
const one = (files: Files, name: FileName): X509Certificate => all(files, name)[0]!
const isSignedBy = (leaf: X509Certificate, ca: X509Certificate): boolean =>
  leaf.checkIssued(ca) && leaf.verify(ca.publicKey)
/** Who signs today's leaves, as an index into `ca.crt`, and how many stand there. */
const signers = (files: Files) => ({
  trusted: all(files, 'ca.crt').length,
  server: all(files, 'ca.crt').findIndex(ca => isSignedBy(one(files, 'server.crt'), ca)),
  client: all(files, 'ca.crt').findIndex(ca => isSignedBy(one(files, 'client.crt'), ca))
})

t.test('a CA, a certificate for muster with its names, one for kube-scheduler with its own', async t => {
  const files = create(wish, now)
  const [ca, server, client] = (['ca.crt', 'server.crt', 'client.crt'] as const).map(name => one(files, name))
  t.ok(ca!.ca)
  t.strictSame(signers(files), { trusted: 1, server: 0, client: 0 })
  t.equal(server!.checkHost('muster.example.com'), 'muster.example.com')
  for (const address of ['127.0.0.1', '::1']) t.ok(server!.checkIP(address), address)
  t.notOk(server!.checkHost('localhost'))
  t.strictSame([client!.subject, client!.subjectAltName], ['CN=system:kube-scheduler', undefined])
  t.strictSame([server!.keyUsage, client!.keyUsage], [['1.3.6.1.5.5.7.3.1'], ['1.3.6.1.5.5.7.3.2']])
  t.equal(server!.validToDate.getTime(), now + 30 * day)
  t.ok(ca!.validToDate.getTime() > now + 3600 * day)
})

t.test('openssl finds nothing to object to, whichever side it asks for', async t => {
  const folder = t.testdir({})
  replace(folder, rotate(create(wish, now), {}, now), now)
  for (const [purpose, file] of [
    ['sslserver', 'server.crt'],
    ['sslclient', 'client.crt']
  ] as const) {
    const args = [
      'verify',
      '-x509_strict',
      '-attime',
      String(now / 1000),
      '-purpose',
      purpose,
      '-CAfile',
      'ca.crt',
      file
    ]
    try {
      t.match(String(execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })), /OK/)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      t.comment('openssl is not there')
    }
  }
})

t.test('rotate makes new ones of the same names, or of others', async t => {
  const files = create(wish, now)
  const next = rotate(files, {}, now + day)
  t.equal(next['ca.crt'], files['ca.crt'])
  for (const name of ['server.crt', 'server.key', 'client.crt', 'client.key'] as const)
    t.not(next[name], files[name], name)
  t.equal(one(next, 'server.crt').subjectAltName, one(files, 'server.crt').subjectAltName)
  t.equal(one(next, 'client.crt').subject, 'CN=system:kube-scheduler')
  const other = rotate(files, { hosts: ['a'], clientName: 'b', days: 3 }, now)
  t.strictSame([one(other, 'server.crt').subjectAltName, one(other, 'client.crt').subject], ['DNS:a', 'CN=b'])
  t.equal(one(other, 'server.crt').validToDate.getTime(), now + 3 * day)
})

t.test('a new CA overlaps with the old one until both sides know it', async t => {
  const first = create(wish, now)
  const overlapping = rotateAuthority(first, now + day)
  t.strictSame(signers(overlapping), { trusted: 2, server: 1, client: 1 }, 'nothing else has changed')
  t.equal(overlapping['server.key'], first['server.key'])
  const signed = rotate(overlapping, {}, now + 2 * day)
  t.strictSame(
    signers(signed),
    { trusted: 2, server: 0, client: 0 },
    'who still shows what the old one signed is trusted'
  )
  const end = rotate(signed, {}, now + 3 * day)
  t.strictSame(signers(end), { trusted: 1, server: 0, client: 0 }, 'and the old one is forgotten')
})

t.test('nothing outlives its CA, and a CA that has ended signs nothing', async t => {
  const files = create(wish, now)
  const end = one(files, 'ca.crt').validToDate.getTime()
  t.equal(one(rotate(files, { days: 3650 }, end - day), 'server.crt').validToDate.getTime(), end)
  t.throws(() => rotate(files, {}, end), {
    name: 'UsageError',
    message: /^the CA in ca.crt ended on .*: muster certs rotate --ca makes another$/
  })
  t.equal(signers(rotateAuthority(files, end + day)).trusted, 1, 'one that has ended is not kept')
  const far = create(wish, Date.parse('2055-01-02T03:04:05Z'))
  t.equal(one(far, 'ca.crt').validFromDate.toISOString(), '2055-01-02T02:04:05.000Z', 'after 2049, too')
})

t.test('what is not ours, or does not belong together, is refused', async t => {
  const files = create(wish, now)
  const others = create(wish, now + 1)
  const wrong = [
    { ...files, 'ca.key': others['ca.key'] },
    { ...files, 'ca.key': 'nonsense' },
    { ...files, 'ca.crt': others['ca.crt'] },
    { ...files, 'ca.crt': '' },
    { ...files, 'server.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }
  ]
  for (const each of wrong) t.throws(() => rotate(each, {}, now), { name: 'UsageError' })
})

t.test('whoever reads a pair through its folder, at any moment, reads a whole one', async t => {
  const folder = t.testdir({})
  let files = create(wish, now)
  replace(folder, files, now)
  for (let turn = 1; turn <= 5; turn += 1) {
    const set = join(folder, '..data')
    const before = readFileSync(join(set, 'server.crt'), 'utf8')
    t.equal(before, files['server.crt'])
    files = rotate(files, {}, now + turn)
    replace(folder, files, now + turn)
    t.strictSame(load(folder), files)
    t.equal(readdirSync(folder).filter(name => /^\.\.\d/.test(name)).length, 2, 'the last set stays, older ones do not')
  }
  for (const name of ['ca.key', 'server.key', 'client.key']) t.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
})

t.test('what is cut off in the middle leaves the last set in use, and does not stand in the way', async t => {
  const folder = t.testdir({})
  const files = create(wish, now)
  replace(folder, files, now)
  mkdirSync(join(folder, '..2026-12-01T00-00-00-000Z-1'))
  writeFileSync(join(folder, '..data-next'), '')
  t.strictSame(load(folder), files)
  const next = rotate(files, {}, now)
  replace(folder, next, now)
  t.strictSame(load(folder), next)
})

t.test('the command prints the flags of both sides', async t => {
  const dir = join(t.testdir({}), 'a folder')
  const run = (...args: string[]) => muster(['certs', ...args, '--dir', dir])
  const made = await run('create', '--host', '127.0.0.1', '--client-name', 'me')
  t.match(made, { code: 0, stderr: '' })
  t.ok(
    made.stdout.includes(
      `\n  muster serve --tls-cert '${dir}/server.crt' --tls-key '${dir}/server.key' --tls-client-ca '${dir}/ca.crt' --tls-client-name me\n`
    )
  )
  t.ok(
    made.stdout.includes(` --ca '${dir}/ca.crt' --client-cert '${dir}/client.crt' --client-key '${dir}/client.key'\n`)
  )
  t.strictSame(await run('create', '--host', 'a'), {
    stdout: '',
    stderr: `muster: ${dir} has certificates already: muster certs rotate makes new ones\n`,
    code: 2
  })
  const { serve, files } = JSON.parse((await run('rotate', '--output', 'json')).stdout)
  t.equal(serve.at(-1), 'me')
  t.ok(existsSync(files['client.key']))
})

t.test('mistakes are told in one line', async t => {
  const dir = join(t.testdir({ taken: 'a file' }), 'taken')
  const cases: Readonly<Record<string, RegExp>> = {
    '': /^say create or rotate: muster certs create --host HOST$/,
    create: /^--host HOST is missing: where does kube-scheduler reach muster\?$/,
    'create --host http://a': /^--host: "http:\/\/a" must be a name or an address, without port or scheme$/,
    'create --host ::ffff:1.2.3.4': /^--host: /,
    'create --host a --days 0': /^--days: 0 must be a whole number from 1 to 3650$/,
    'create --host a --client-name a,b': /^--client-name: "a,b" must be up to 64/,
    'create --host a --ca': /^--ca is for rotate, and alone/,
    'rotate --nonsense': /^Unknown option '--nonsense'; see --help$/,
    rotate: /taken holds no certificates of muster certs create: ENOTDIR/,
    'create --host a': /taken: /
  }
  for (const [args, want] of Object.entries(cases)) {
    const { stderr, code } = await muster(['certs', ...args.split(' ').filter(each => each !== ''), '--dir', dir])
    t.match(stderr.replace(/^muster: (.*)\n$/, '$1'), want, args)
    t.equal(code, 2, args)
  }
})

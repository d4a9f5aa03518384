import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const scripts: Readonly<Record<string, { readonly file: string; readonly wrong: Readonly<Record<string, RegExp>> }>> = {
  soak: {
    file: 'soak/main.ts',
    wrong: {
      '--minutes 0': /^soak: --minutes: "0" must be a whole number of at least 1; see --help\n$/,
      '--seed x': /^soak: --seed: "x" must be a whole number/
    }
  },
  'control-plane': {
    file: 'control-plane/up.ts',
    wrong: { sideways: /^control-plane: say up or down; see --help\n$/, 'up --nodes -1': /^control-plane: .*--nodes/ }
  },
  conformance: { file: 'conformance/main.ts', wrong: { '--minor': /^conformance: .*--minor/ } },
  'compare:wake': { file: 'control-plane/wake.ts', wrong: { '--tries 1.5': /^compare:wake: --tries: "1.5" must be/ } },
  'compare:preempt': { file: 'control-plane/preempt.ts', wrong: { '--size ten': /^compare:preempt: --size: "ten"/ } },
  simulate: { file: 'simulation/main.ts', wrong: { '--seeds x': /^simulate: --seeds: "x" must be a whole number/ } },
  test: { file: 'run.ts', wrong: { '--only x': /^test: Unknown option '--only'; see --help\n$/ } }
}

for (const [name, { file, wrong }] of Object.entries(scripts)) {
  const run = (words: string) =>
    spawnSync(process.execPath, [join(import.meta.dirname, file), ...words.split(' ')], { encoding: 'utf8' })

  t.test(`npm run ${name} -- --help says how`, async t => {
    const { status, stdout } = run('--help')
    t.equal(status, 0)
    t.match(stdout, new RegExp(`npm (run )?${name}`))
  })

  for (const [words, sentence] of Object.entries({ '--bogus': /Unknown option '--bogus'; see --help\n$/, ...wrong }))
    t.test(`npm run ${name} -- ${words} is refused in one sentence`, async t => {
      const { status, stdout, stderr } = run(words)
      t.equal(status, 2)
      t.equal(stdout, '')
      t.match(stderr, sentence)
      t.equal(stderr.split('\n').length, 2)
    })
}

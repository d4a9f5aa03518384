import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { muster } from './run.ts'

/** Whether Node took the code of the command from its cache, as it says when asked. */
const taken = (stderr: string): boolean => /code cache for ESM \S+version\.ts was accepted/.test(stderr)
const asked = { NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }

t.test('the second start takes the code from the cache folder of the user', async t => {
  const env = { ...asked, XDG_CACHE_HOME: t.testdir({}) }
  const first = await muster(['version'], env)
  const second = await muster(['version'], env)
  t.match([first, second], [{ code: 0 }, { code: 0, stdout: first.stdout }])
  t.strictSame([taken(first.stderr), taken(second.stderr)], [false, true])
})

t.test('NODE_COMPILE_CACHE names another folder', async t => {
  const folder = t.testdir({})
  const other = { ...asked, NODE_COMPILE_CACHE: join(folder, 'other'), XDG_CACHE_HOME: folder }
  t.equal(taken((await muster(['version'], other)).stderr), false)
  t.equal(taken((await muster(['version'], { ...asked, XDG_CACHE_HOME: folder })).stderr), false, 'another folder')
  t.equal(taken((await muster(['version'], other)).stderr), true)
})

t.test('where nothing can be kept, nothing is, and nothing is said', async t => {
  const file = join(t.testdir({}), 'file')
  writeFileSync(file, '')
  for (const env of [{ XDG_CACHE_HOME: file }, { HOME: file }, { HOME: '' }, { NODE_DISABLE_COMPILE_CACHE: '1' }])
    t.match(await muster(['version'], env), { code: 0, stderr: '' })
})

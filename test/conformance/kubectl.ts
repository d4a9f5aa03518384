import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { stringify } from 'yaml'
import type { Cluster } from '../control-plane/cluster.ts'

const run = promisify(execFile)
const manifests = join(import.meta.dirname, '..', '..', 'manifests')

/** Runs the control plane's own kubectl as administrator; rejects with what it complained of. */
export async function kubectl(
  cluster: Cluster,
  ...args: readonly string[]
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const kubeconfig = await cluster.kubeconfig('admin')
  return await run(cluster.site.tools.path('kubectl'), ['--kubeconfig', kubeconfig, ...args])
}

/** Writes an installation as a user would: the base with these components; answers its folder. */
export function installation(t: Test, components: readonly string[]): string {
  const dir = t.testdir({})
  const from = (folder: string) => relative(dir, join(manifests, folder))
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [from('base')],
    components: components.map(component => from(`components/${component}`))
  }
  writeFileSync(join(dir, 'kustomization.yaml'), stringify(kustomization))
  return dir
}
